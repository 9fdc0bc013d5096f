"""One server seen from here: reached, trusted, its clock, and every tag of the table readable."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncua import ua

from ingestion.collector.checking import Check, certificate_check, well, wrong
from ingestion.collector.expiry import SERVER, USER, WORDS, user_validity
from ingestion.collector.limits import chunks
from ingestion.collector.session import open_session
from ingestion.collector.tag_table import TagTableError, load_tags
from ingestion.collector.trust import TrustError
from ingestion.collector.user_login import LoginError
from protocols import opcua_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ingestion.collector.session import Session
    from ingestion.collector.settings import CertificateSettings, CollectorSettings, ServerSettings
    from ingestion.collector.tag_table import Tag

CLOCK_TOLERANCE_S = 5.0
_NAMED = 5


async def check_server(server: ServerSettings, settings: CollectorSettings) -> list[Check]:
    """One system: its tag table, each of its addresses, its tags on the first that answers."""
    opcua_time.install()
    found: list[Check] = []
    tags: tuple[Tag, ...] = ()
    try:
        tags = load_tags(server.tags)
    except TagTableError as error:
        found.append(_bad_table(server, error))
    found += _user_certificate(server, settings.certificates)
    for url in server.urls:
        with tempfile.TemporaryDirectory() as folder:  # a running collector's session is none of ours
            try:
                async with open_session(server, settings, url, Path(folder) / "session.json") as session:
                    found += await _look(session, server, url, tags, settings.certificates)
                    tags = ()
            except (TrustError, OSError, TimeoutError, ua.UaError) as error:
                found.append(_unreachable(server, url, error))
    return found


def _user_certificate(server: ServerSettings, certificates: CertificateSettings) -> list[Check]:
    subject, remedy = f"user certificate 用户证书 {server.system_id}", (WORDS[USER][2], WORDS[USER][3])
    try:
        found = user_validity(server.user)
    except LoginError as error:
        return [wrong(subject, (error.zh, error.en), remedy)]
    return [] if found is None else [certificate_check(subject, found, certificates, remedy)]


def _bad_table(server: ServerSettings, error: TagTableError) -> Check:
    remedy = f"chemlink collect discover --server {server.system_id}"
    return wrong(
        f"tags 点表 {server.system_id}",
        (str(error), str(error)),
        (f"更正点表，或用 {remedy} 生成", f"correct it, or have `{remedy}` propose one"),
    )


async def _look(
    session: Session, server: ServerSettings, url: str, tags: Sequence[Tag], certificates: CertificateSettings
) -> list[Check]:
    found = [well(f"server 服务器 {server.system_id}", f"{url} 已连接", f"{url} connected")]
    if session.certificate is not None:
        found.append(
            certificate_check(
                f"server certificate 服务器证书 {url}",
                session.certificate,
                certificates,
                (WORDS[SERVER][2], WORDS[SERVER][3]),
            )
        )
    found.append(await _clock(session, url))
    return [*found, *(await _tags(session, server.system_id, tags) if tags else [])]


async def _clock(session: Session, url: str) -> Check:
    """The server's clock against this machine's, half the round trip allowed for."""
    before = datetime.now(UTC)
    node = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
    (value,) = await session.client.uaclient.session.read_attributes([node], ua.AttributeIds.Value)
    after = datetime.now(UTC)
    said: Any = None if value.Value is None else value.Value.Value
    if not isinstance(said, datetime):
        return wrong(
            f"clock 时钟 {url}",
            ("服务器不给出时间", "the server does not say its time"),
            ("与控制系统厂商核对", "ask the control system's maker"),
            "warning",
        )
    server_at = said if said.tzinfo else said.replace(tzinfo=UTC)
    offset_s = (server_at - before).total_seconds() - (after - before).total_seconds() / 2
    if abs(offset_s) <= CLOCK_TOLERANCE_S:
        return well(
            f"clock 时钟 {url}", f"与本机相差 {offset_s:+.2f} 秒", f"{offset_s:+.2f} s from this machine"
        )
    return wrong(
        f"clock 时钟 {url}",
        (
            f"与本机相差 {offset_s:+.1f} 秒，容许 {CLOCK_TOLERANCE_S:g} 秒",
            f"{offset_s:+.1f} s from this machine, {CLOCK_TOLERANCE_S:g} s are allowed",
        ),
        (
            "两台机器都与厂内时间服务器同步；源时间按原样记录，不会被修正",
            "synchronise both with the plant's time server; source times are kept as sent, never corrected",
        ),
        "warning",
    )


async def _tags(session: Session, system_id: str, tags: Sequence[Tag]) -> list[Check]:
    subject = f"tags 点表 {system_id}"
    node_ids: dict[str, ua.NodeId] = {}
    failed: dict[str, str] = {}
    for tag in tags:
        resolved = tag.resolve(session.namespaces)
        if resolved is None:
            failed[tag.tag_id] = "no such namespace"
        else:
            node_ids[tag.tag_id] = ua.NodeId.from_string(resolved)
    access = await _access(session, node_ids)
    keeps_history = {tag.tag_id for tag in tags if tag.has_history}
    unkept = []
    for tag_id, level in access.items():
        if isinstance(level, str):
            failed[tag_id] = level
        elif not level & ua.AccessLevel.CurrentRead.mask:
            failed[tag_id] = "not readable"
        elif tag_id in keeps_history and not level & ua.AccessLevel.HistoryRead.mask:
            unkept.append(tag_id)
    found = []
    if failed:
        found.append(_failed(subject, failed, len(tags)))
    else:
        found.append(well(subject, f"{len(tags)} 个位号均可读取", f"all {len(tags)} tags can be read"))
    if unkept:
        found.append(_unkept(system_id, unkept))
    return found


def _unkept(system_id: str, tag_ids: Sequence[str]) -> Check:
    listed = ", ".join(tag_ids[:_NAMED]) + (" …" if len(tag_ids) > _NAMED else "")
    return wrong(
        f"history 历史 {system_id}",
        (
            f"{len(tag_ids)} 个位号没有历史读权限：{listed}",
            f"{len(tag_ids)} tags may not be read in history: {listed}",
        ),
        (
            "在服务器上开放 HistoryRead，或把点表的 has_history 改为 false（中断期间的数据将缺失）",
            "allow HistoryRead at the server, or set has_history false (an outage is lost then)",
        ),
        "warning",
    )


def _failed(subject: str, failed: Mapping[str, str], total: int) -> Check:
    listed = ", ".join(f"{tag_id} ({reason})" for tag_id, reason in list(failed.items())[:_NAMED])
    more = " …" if len(failed) > _NAMED else ""
    return wrong(
        subject,
        (
            f"{total} 个位号中 {len(failed)} 个不可读：{listed}{more}",
            f"{len(failed)} of {total} tags cannot be read: {listed}{more}",
        ),
        (
            "核对 node_id（可用 chemlink collect discover）与服务器上的权限",
            "compare node_id (`chemlink collect discover` lists them) and the rights at the server",
        ),
    )


async def _access(session: Session, node_ids: Mapping[str, ua.NodeId]) -> dict[str, int | str]:
    """By tag, its access level for this user, or why it cannot be had."""
    found: dict[str, int | str] = {}
    for part in chunks(list(node_ids), session.limits.nodes_per_read):
        values = await session.client.uaclient.session.read_attributes(
            [node_ids[tag_id] for tag_id in part], ua.AttributeIds.UserAccessLevel
        )
        for tag_id, value in zip(part, values, strict=True):
            status = value.StatusCode or ua.StatusCode()
            content = None if value.Value is None else value.Value.Value
            found[tag_id] = int(content) if status.is_good() and content is not None else status.name
    return found


def _unreachable(server: ServerSettings, url: str, error: Exception) -> Check:
    zh = en = str(error) or type(error).__name__
    if isinstance(error, LoginError):
        zh, en = error.zh, error.en
        remedy = (
            "更正 collector.yml 的 servers[].user，或在服务器上开放该用户",
            "correct servers[].user in collector.yml, or let that user in at the server",
        )
    elif isinstance(error, TrustError):
        remedy = (
            "核对指纹后运行 chemlink collect trust accept <指纹>",
            "compare the fingerprint, then `chemlink collect trust accept <fingerprint>`",
        )
    else:
        remedy = (
            "检查地址、网络与防火墙，以及服务器是否信任本机证书（pki/own/cert.der）",
            "check address, network and firewall, and whether the server trusts our pki/own/cert.der",
        )
    subject = f"server 服务器 {server.system_id}"
    return wrong(subject, (f"{url} 连接失败：{zh}", f"{url} not connected: {en}"), remedy)
