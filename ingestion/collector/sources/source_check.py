"""Whether a source can be collected from here: its files, and the way to its broker or instruments.

Nothing is subscribed and nothing acknowledged: a check takes no message from the running collector.
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingestion.collector.checking import certificate_check, well, wrong
from ingestion.collector.expiry import Validity
from ingestion.collector.settings import CertificateSettings
from ingestion.collector.settings_base import SettingsError
from ingestion.collector.sources.hj212_devices import Devices
from ingestion.collector.sources.mapping import load_mapping
from ingestion.collector.sources.mqtt_client import tls_context
from ingestion.collector.sources.settings import MqttSettings
from ingestion.collector.sources.tags import load_source_tags
from ingestion.collector.tag_table import TagTableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingestion.collector.checking import Check
    from ingestion.collector.sources.settings import Hj212Settings

TIMEOUT_S = 5.0


def check_source(source: MqttSettings | Hj212Settings) -> Iterator[Check]:
    """How a source's files and its way stand."""
    name = source.system_id
    if source.tags is not None:
        yield _readable(f"tag table 点表 {name}", load_source_tags, source.tags)
    if isinstance(source, MqttSettings):
        if source.mapping is not None:
            yield _readable(f"mapping 映射 {name}", load_mapping, source.mapping)
        yield from _broker(source)
    else:
        yield _readable(f"passwords 密码 {name}", Devices, source.devices)
        yield _address(source)


def _readable(subject: str, load: Callable[..., object], what: object) -> Check:
    try:
        load(what)
    except (SettingsError, TagTableError) as error:
        remedy = ("按提示改正该文件", "correct the file as said")
        return wrong(subject, (f"不可用：{error}", str(error)), remedy)
    return well(subject, "可用", "can be used")


def _broker(source: MqttSettings) -> Iterator[Check]:
    subject, at = f"broker {source.system_id}", f"{source.host}:{source.port}"
    if source.tls is None:
        yield wrong(
            subject,
            ("以明文连接，任何人都能读和伪造", "plain text: anyone on the way reads it, and may forge it"),
            ("在服务器上启用 TLS，改写 tls", "let the broker offer TLS, and write tls instead"),
            "warning",
        )
    try:
        with socket.create_connection((source.host, source.port), TIMEOUT_S) as plain:
            if source.tls is not None:
                yield from _handshake(source, subject, plain)
    except (OSError, ssl.SSLError) as error:
        remedy = ("核对地址、端口、防火墙与证书", "check address, port, firewall and certificates")
        yield wrong(subject, (f"{at} 连接失败：{error}", f"{at}: {error}"), remedy)
        return
    yield well(subject, f"{at} 可达", f"{at} can be reached")


def _handshake(source: MqttSettings, subject: str, plain: socket.socket) -> Iterator[Check]:
    with tls_context(source).wrap_socket(plain, server_hostname=source.host) as secure:
        found = secure.getpeercert() or {}
    ends = found.get("notAfter")
    if isinstance(ends, str):
        held = Validity(datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC))
        renew = ("请服务器管理员换发证书", "have the broker's certificate renewed")
        yield certificate_check(f"{subject} certificate 证书", held, CertificateSettings(), renew)


def _address(source: Hj212Settings) -> Check:
    subject = f"listener 监听 {source.system_id}"
    try:
        # Port 0: the running collector may hold the real one.
        with socket.create_server((source.host, 0)):
            pass
    except OSError as error:
        remedy = ("写本机在仪表网中的地址", "write this machine's address in the instruments' network")
        return wrong(subject, (f"{source.host} 不是本机地址：{error}", f"{source.host}: {error}"), remedy)
    return well(subject, f"{source.host} 是本机地址", f"{source.host} is an address of this machine")
