"""Ways to receivers: one class a protocol, picked by the `type` of an endpoint's transport settings."""

from __future__ import annotations

from exports.endpoints import EndpointSpec
from exports.site import ExportSite
from exports.transports.base import Observe, Transport
from exports.transports.hj212_tcp import Hj212TcpTransport
from exports.transports.https_json import HttpsJsonTransport


def make_transport(endpoint: EndpointSpec, site: ExportSite, observe: Observe) -> Transport:
    """The transport of an endpoint, not yet open.

    Raises:
        MissingSecretError: a credential is not there.
        SpecError: a file that the settings name is not there.
    """
    settings = endpoint.transport
    if settings.type == "hj212_tcp":
        return Hj212TcpTransport(
            settings,
            password=site.secrets.read(settings.password_secret),
            responsible={device.mn: device.responsible_person for device in site.devices.values()},
            timeout_s=endpoint.retry.timeout_s,
            observe=observe,
        )
    return HttpsJsonTransport(
        settings,
        hmac_key=site.secrets.read(settings.hmac_key_secret),
        site_root=site.root,
        timeout_s=endpoint.retry.timeout_s,
    )
