"""What each lower package is given, made from the settings: values only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.state import StateStore, open_state
from orchestration.settings import Settings
from orchestration.site import SettingsError

if TYPE_CHECKING:
    from exports.site import ExportSite
    from ingestion.context import ExtractContext
    from ingestion.gateway.receiving import ReceivingSpec
    from ingestion.landing_spec import LandingSpec
    from ingestion.webhooks.receiver import ReceiverSpec

RECEIVER_KEY_NAME = "gateway_receiver.pem"


@contextmanager
def state_store(settings: Settings) -> Iterator[StateStore]:
    """The site's state store, closed afterwards."""
    state = open_state(settings.state_url, settings.clock.now)
    try:
        yield state
    finally:
        state.close()


def extract_context(
    settings: Settings, state: StateStore, run_id: str, *, accept_shrink: bool = False
) -> ExtractContext:
    """What an extract may use."""
    from ingestion.context import ExtractContext

    return ExtractContext(
        lake=settings.lake,
        state=state,
        secrets=settings.secrets,
        clock=settings.clock,
        site_dir=settings.site_dir,
        run_id=run_id,
        accept_shrink=accept_shrink,
    )


def landing_spec(settings: Settings, state: StateStore) -> LandingSpec:
    """What landing must be told."""
    from ingestion.landing_spec import LandingSpec
    from ingestion.outlets import read_outlets
    from protocols.keys import load_verify_key

    today = settings.clock.now().astimezone(settings.zone).date()
    return LandingSpec(
        inbox=settings.var / "gateway" / "inbox",
        verify_key=load_verify_key(settings.site_dir / "pki" / "gateway_verify.pem"),
        lake=settings.lake,
        state=state,
        clock=settings.clock,
        zone=settings.zone,
        outlets=read_outlets(settings.site_dir / "registers", on=today),
    )


def receiving_spec(settings: Settings, state: StateStore) -> ReceivingSpec:
    """What the UDP receiver must be told.

    Raises:
        SettingsError: the site names no UDP gateway.
    """
    from ingestion.gateway.receiving import ReceivingSpec
    from protocols.keys import load_box_key, load_verify_key

    udp = settings.site.gateway_udp
    if udp is None:
        msg = f"{settings.site_dir / 'site.yml'} names no gateway_udp; write `gateway_udp: {{port: 47100}}`"
        raise SettingsError(msg)
    gateway, pki = settings.var / "gateway", settings.site_dir / "pki"
    box_key = pki / RECEIVER_KEY_NAME
    return ReceivingSpec(
        host=udp.host,
        port=udp.port,
        sender_host=udp.sender_host,
        inbox=gateway / "inbox",
        quota_bytes=int(udp.quota_gib * 2**30),
        links_dir=gateway / "links",
        verify_key=load_verify_key(pki / "gateway_verify.pem"),
        box_key=load_box_key(box_key) if box_key.is_file() else None,
        state=state,
    )


def events_spec(settings: Settings) -> ReceiverSpec:
    """What the receiver of events must be told.

    Raises:
        SettingsError: the site receives no events, or a secret is missing.
    """
    from ingestion.registry import QUARANTINE, load_registry
    from ingestion.webhooks.extract import SPOOLS
    from ingestion.webhooks.receiver import ReceiverSpec, Sender
    from ingestion.webhooks.signature import signing_key

    where = settings.site.events
    if where is None:
        msg = f"{settings.site_dir / 'site.yml'} names no events; write `events: {{port: 8090}}`"
        raise SettingsError(msg)
    senders = {
        system.system_id: Sender(
            signing_key(settings.secrets(system.events_secret)),
            frozenset(contract.table for contract in system.tables if contract.table != QUARANTINE),
        )
        for system in load_registry(settings.site_dir)
        if system.events_secret is not None
    }
    return ReceiverSpec(
        host=where.host,
        port=where.port,
        folder=settings.lake.root / SPOOLS,
        senders=senders,
        certificate=settings.site_dir / where.certificate if where.certificate else None,
        certificate_key=settings.site_dir / where.certificate_key if where.certificate_key else None,
    )


def export_site(settings: Settings, state: StateStore) -> ExportSite:
    """The plant as its exports see it."""
    from exports.secrets import SiteSecrets
    from exports.site import ExportSite, load_devices

    return ExportSite(
        site_id=settings.site.site_id,
        root=settings.site_dir,
        zone=settings.zone,
        environment=settings.environment,
        lake=settings.lake,
        state=state,
        clock=settings.clock,
        secrets=SiteSecrets(settings.secrets.folder, settings.secrets.overrides()),
        devices=load_devices(settings.site_dir / "registers" / "outlets.csv"),
    )
