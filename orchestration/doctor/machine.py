"""The machine and the processes: disk, clock, certificates, supervisor, signs of life."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from lake.heartbeats import heartbeats
from lake.state import StateStore
from orchestration import supervisor
from orchestration.doctor.diagnosis import Diagnosis, well, wrong
from orchestration.settings import Settings

LEAST_FREE_BYTES = 5 * 2**30
LEAST_FREE_SHARE = 0.05
EXPIRY_WARNING = timedelta(days=30)
SILENT_AFTER_S = 60.0
CLOCK_TOLERANCE_S = 300.0


def examine_machine(settings: Settings, state: StateStore) -> Iterator[Diagnosis]:
    """Everything that does not depend on a tag or report."""
    yield _disk(settings.var)
    yield _clock(state)
    yield from _certificates(settings.site_dir / "pki")
    yield from _processes(settings, state)


def _disk(folder: Path) -> Diagnosis:
    usage = shutil.disk_usage(folder)
    free = f"{usage.free / 2**30:.1f} GiB ({usage.free / usage.total:.0%})"
    if usage.free >= max(LEAST_FREE_BYTES, 0) and usage.free / usage.total >= LEAST_FREE_SHARE:
        return well("disk", f"剩余空间 {free}", f"{free} free")
    return wrong(
        "disk",
        (f"剩余空间只有 {free}", f"only {free} free"),
        (
            "扩容，或按保留期清理 var/log 与旧数据",
            "add space, or clear var/log and data past their retention",
        ),
    )


def _clock(state: StateStore) -> Diagnosis:
    """The machine's clock against signs of life written before: it must not have gone back."""
    now = datetime.now(UTC)
    with state.read() as connection:
        beats = heartbeats(connection)
    ahead_s = max(((beat.beat_at_real_utc - now).total_seconds() for beat in beats), default=0.0)
    if ahead_s <= CLOCK_TOLERANCE_S:
        return well(
            "clock", f"本机时间 {now:%Y-%m-%d %H:%M:%S} UTC", f"machine time {now:%Y-%m-%d %H:%M:%S} UTC"
        )
    return wrong(
        "clock",
        (
            f"本机时间比已记录的心跳早 {ahead_s:.0f} 秒",
            f"the clock is {ahead_s:.0f} s behind a recorded sign of life",
        ),
        (
            "核对时间同步（chrony/NTP），时间错误会使报告时段错位",
            "check time synchronisation: periods would be misnamed",
        ),
    )


def _certificates(folder: Path) -> Iterator[Diagnosis]:
    for path in sorted([*folder.rglob("*.der"), *folder.rglob("*.pem")]):
        certificate = _read_certificate(path)
        if certificate is None:
            continue
        subject = f"certificate {path.relative_to(folder.parent)}"
        ends = certificate.not_valid_after_utc
        if ends - datetime.now(UTC) > EXPIRY_WARNING:
            yield well(subject, f"有效期至 {ends:%Y-%m-%d}", f"valid until {ends:%Y-%m-%d}")
            continue
        is_over = ends <= datetime.now(UTC)
        yield wrong(
            subject,
            (
                f"{'已于' if is_over else '将于'} {ends:%Y-%m-%d} 到期",
                f"{'ended' if is_over else 'ends'} {ends:%Y-%m-%d}",
            ),
            ("换发证书并更新对方信任列表", "renew it and update the other side's trust list"),
            "error" if is_over else "warning",
        )


def _read_certificate(path: Path) -> x509.Certificate | None:
    """The certificate in a file, or None where it holds something else, such as a key."""
    content = path.read_bytes()
    if path.suffix == ".der":
        return x509.load_der_x509_certificate(content)
    return x509.load_pem_x509_certificate(content) if b"BEGIN CERTIFICATE" in content else None


def _processes(settings: Settings, state: StateStore) -> Iterator[Diagnosis]:
    if not supervisor.is_running(settings.run_dir):
        yield wrong(
            "processes",
            ("平台未在运行", "the platform is not running"),
            (f"chemlink up --site {settings.site_dir}", f"chemlink up --site {settings.site_dir}"),
            "warning",
        )
        return
    found = supervisor.read_run(settings.run_dir) or {"children": []}
    for child in found["children"]:
        yield _child(settings, child["name"], child["pid"], child["last_exit"])
    with state.read() as connection:
        beats = heartbeats(connection)
    for beat in beats:
        if beat.age_s() > SILENT_AFTER_S:
            yield wrong(
                f"process {beat.process}",
                (f"{beat.age_s():.0f} 秒没有心跳", f"no sign of life for {beat.age_s():.0f} s"),
                (f"查看 {settings.log_dir}，必要时重启", f"read {settings.log_dir}, restart if need be"),
            )


def _child(settings: Settings, name: str, pid: int | None, last_exit: int | None) -> Diagnosis:
    if pid is not None:
        return well(f"process {name}", f"运行中（{pid}）", f"running ({pid})")
    log = settings.log_dir / f"{name}.log"
    return wrong(
        f"process {name}",
        (f"已退出，退出码 {last_exit}", f"ended with code {last_exit}"),
        (f"守护进程会重启它；原因见 {log}", f"the supervisor starts it again; the reason is in {log}"),
    )
