"""The collector's own machine: keys, disk, the gateway's folder, the collector's last sign of life."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.collector.checking import Check, certificate_check, well, wrong
from ingestion.collector.expiry import Validity
from ingestion.collector.status import STATUS_NAME
from ingestion.collector.trust_list import certificates
from protocols.keys import KeyFileError, load_sign_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingestion.collector.settings import CollectorSettings

STALE_AFTER_S = 30.0
_LEAST_FREE_SHARE = 0.05
_KEYS = ("chemlink keys --config collector.yml", "chemlink keys --config collector.yml")
_RENEW = ("换发证书并更新对方信任列表", "renew it and update the other side's trust list")


def check_machine(settings: CollectorSettings) -> Iterator[Check]:
    """Everything that needs no server."""
    yield from _keys(settings)
    yield _disk("disk 磁盘", settings.state_dir, settings.disk.min_free_mb)
    yield from _gateway(settings)
    for system in (*settings.servers, *settings.sources):
        yield _last_sign(system.system_id, settings.state_dir / system.system_id / STATUS_NAME)


def _keys(settings: CollectorSettings) -> Iterator[Check]:
    try:
        load_sign_key(settings.pki.sign_key)
    except KeyFileError as error:
        yield wrong("signing key 签名密钥", (f"不可用：{error}", str(error)), _KEYS)
    else:
        yield well("signing key 签名密钥", "可用", "can be used")
    known = certificates(settings.pki)
    if not any(one.state == "own" for one in known):
        name = str(settings.pki.certificate)
        yield wrong("own certificate 本机证书", (f"没有 {name}", f"there is no {name}"), _KEYS)
    if not any(one.state == "trusted" for one in known):
        yield wrong(
            "trust list 信任列表",
            ("没有受信的服务器证书", "no server certificate is trusted"),
            (
                "先运行 chemlink collect check，核对指纹后 chemlink collect trust accept",
                "let the check meet the server, compare fingerprints, then `chemlink collect trust accept`",
            ),
            "warning",
        )
    for one in known:
        if one.state != "rejected":
            name = (
                "own certificate 本机证书" if one.state == "own" else f"trusted 受信 {one.fingerprint[:16]}"
            )
            yield certificate_check(
                f"{name} ({one.subject})", Validity(one.not_after), settings.certificates, _RENEW
            )


def _disk(subject: str, folder: Path, least_mb: float) -> Check:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    free_mb = usage.free / 1e6
    free = f"{free_mb / 1000:.1f} GB ({usage.free / usage.total:.0%})"
    remedy = (
        "扩容或清理；chemlink 在低于 disk.min_free_mb 时按 disk.when_full 处理",
        "add or clear space; below disk.min_free_mb the collector does what disk.when_full says",
    )
    if not os.access(folder, os.W_OK):
        return wrong(subject, (f"{folder} 不可写", f"{folder} cannot be written"), remedy)
    if free_mb < least_mb:
        return wrong(subject, (f"{folder} 只剩 {free}", f"only {free} free at {folder}"), remedy)
    if usage.free / usage.total < _LEAST_FREE_SHARE:
        return wrong(subject, (f"{folder} 只剩 {free}", f"only {free} free at {folder}"), remedy, "warning")
    return well(subject, f"{folder} 剩余 {free}", f"{free} free at {folder}")


def _gateway(settings: CollectorSettings) -> Iterator[Check]:
    gateway = settings.gateway
    if gateway is None:
        yield wrong(
            "gateway 网闸",
            ("没有配置网闸，数据段只留在本机", "none is configured: segments stay on this machine"),
            ("在 collector.yml 中填写 gateway", "fill in `gateway` in collector.yml"),
            "warning",
        )
    elif gateway.drop_dir is not None:
        yield _writable(gateway.drop_dir)
    elif gateway.udp is not None:
        # Nothing comes back over a diode: the far side's own doctor knows whether it arrives.
        address = f"{gateway.udp.host}:{gateway.udp.port}"
        yield well(
            "gateway 网闸",
            f"UDP {address}，是否到达请在业务区用 chemlink doctor 查看",
            f"UDP {address}; whether it arrives, `chemlink doctor` knows in the business zone",
        )


def _writable(folder: Path) -> Check:
    """Written and taken away again, because rights on a share are only known by trying."""
    probe = folder / f".check-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        return wrong(
            "gateway drop 摆渡目录",
            (f"{folder} 不可写：{reason}", f"{folder} cannot be written: {reason}"),
            ("检查挂载与权限；期间数据段留在本机", "check mount and rights; segments wait here meanwhile"),
        )
    return well("gateway drop 摆渡目录", f"{folder} 可写", f"{folder} can be written")


def _last_sign(system_id: str, path: Path) -> Check:
    subject = f"collector 采集器 {system_id}"
    start = ("chemlink collect --config collector.yml", "chemlink collect --config collector.yml")
    try:
        status = json.loads(path.read_text(encoding="utf-8"))
        age_s = (datetime.now(UTC) - datetime.fromisoformat(status["written_at_real_utc"])).total_seconds()
    except FileNotFoundError:
        return wrong(subject, ("尚未运行过", "has never run"), start, "warning")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return wrong(subject, (f"{path} 无法读取：{error}", f"{path} cannot be read: {error}"), start)
    if age_s > STALE_AFTER_S:
        return wrong(subject, (f"{age_s:.0f} 秒没有更新", f"no sign of life for {age_s:.0f} s"), start)
    failed, alarms = status.get("failed_tags") or {}, status.get("alarms") or {}
    if not status.get("connected") or failed or alarms:
        told = "; ".join(
            [*(f"{name}: {text}" for name, text in alarms.items()), status.get("last_error") or ""]
        )
        state = ("已连接", "connected") if status.get("connected") else ("未连接", "not connected")
        return wrong(
            subject,
            (
                f"{state[0]}，失败位号 {len(failed)} 个。{told}",
                f"{state[1]}, {len(failed)} tags fail. {told}",
            ),
            (
                f"原因见 {path}，含义见控制区指南",
                f"reasons are in {path}, meanings in the control-zone guide",
            ),
            "warning" if status.get("connected") else "error",
        )
    return well(subject, "运行中，已连接", "running, connected")
