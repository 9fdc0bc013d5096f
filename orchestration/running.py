"""The long-running processes of the business zone, each given its values: landing and the dispatcher."""

from __future__ import annotations

import signal
import threading

from orchestration.location import load_location
from orchestration.proving import log_key_path
from orchestration.services import events_spec, export_site, landing_spec, receiving_spec, state_store
from orchestration.settings import Settings

DRAIN_S = 60.0


def land(settings: Settings, *, once: bool) -> str:
    """Land what arrives in the inbox until told to stop, or what is there now; returns what to tell."""
    from ingestion.landing import land_once, run_landing

    with state_store(settings) as state:
        spec = landing_spec(settings, state)
        if not once:
            run_landing(spec, stop_signal())
            return "landing ended 入湖已停止"
        report = land_once(spec)
    return (
        f"{report.rows} rows landed 行已入湖, {report.gaps} segments missing 缺段, "
        f"{report.quarantined} files refused 拒收文件"
    )


def receive(settings: Settings) -> str:
    """Receive what comes over a bare diode until told to stop; returns what to tell."""
    from ingestion.gateway.receiving import run_receiving

    with state_store(settings) as state:
        run_receiving(receiving_spec(settings, state), stop_signal())
    return "receiver ended 接收已停止"


def events(settings: Settings) -> str:
    """Receive events of other systems until told to stop; returns what to tell."""
    from ingestion.webhooks.receiver import run_receiver

    run_receiver(events_spec(settings))
    return "event receiver ended 事件接收已停止"


def dispatch(settings: Settings, *, once: bool) -> str:
    """Send what waits until told to stop, or until nothing waits any more; returns what to tell."""
    from exports.dispatcher import drain, run_dispatcher

    location = load_location(settings)
    log_key = log_key_path(settings)
    with state_store(settings) as state:
        site = export_site(settings, state)
        if not once:
            run_dispatcher(site, location.reports, location.endpoints, log_key=log_key, stop=stop_signal())
            return "dispatcher ended 发送已停止"
        report = drain(site, location.reports, location.endpoints, log_key=log_key, timeout_s=DRAIN_S)
    counts = ", ".join(f"{state} {count}" for state, count in sorted(report.by_state.items()))
    return f"outbox 发件箱: {counts or 'empty 空'}"


def stop_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set, so that a process ends after the work in hand."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
