"""The long-running processes of the business zone, each given its values: landing and the dispatcher."""

from __future__ import annotations

import signal
import threading

from orchestration.location import load_location
from orchestration.proving import log_key_path
from orchestration.services import export_site, landing_spec, state_store
from orchestration.settings import Settings

DRAIN_S = 60.0


def land(settings: Settings, *, once: bool) -> None:
    """Land what arrives at the gateway's inbox until told to stop, or what is there now."""
    from ingestion.landing import land_once, run_landing

    with state_store(settings) as state:
        spec = landing_spec(settings, state)
        if once:
            land_once(spec)
        else:
            run_landing(spec, stop_signal())


def dispatch(settings: Settings, *, once: bool) -> None:
    """Send what the outbox holds until told to stop, or until nothing waits any more."""
    from exports.dispatcher import drain, run_dispatcher

    location = load_location(settings)
    log_key = log_key_path(settings)
    with state_store(settings) as state:
        site = export_site(settings, state)
        if once:
            drain(site, location.reports, location.endpoints, log_key=log_key, timeout_s=DRAIN_S)
        else:
            run_dispatcher(site, location.reports, location.endpoints, log_key=log_key, stop=stop_signal())


def stop_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set, so that a process ends after the work in hand."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
