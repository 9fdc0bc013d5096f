"""A real dispatcher in a process of its own, to be killed by a test.

Run as `python -m tests.fakes.dispatcher_process <site> <province port> <park port>`; the plant's clock is the
site's clock.json. SIGTERM stops it in good order.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from exports.dispatcher import run_dispatcher
from exports.endpoints import EndpointSpec
from protocols.clock import load_clock
from tests.fakes.export_site import make_site, park, province, report

REPORT_IDS = ("province_hj212_realtime", "province_hj212_hour", "park_outlet_hourly")
REPORTS = {report_id: report(report_id) for report_id in REPORT_IDS}


def endpoints(province_port: int, park_port: int) -> dict[str, EndpointSpec]:
    """Both endpoints, slow enough to be caught in the act and patient with lost answers."""
    patient = {"timeout_s": 0.3, "attempts": 20, "backoff": {"first_s": 0.05, "factor": 1.5, "limit_s": 0.3}}
    rate = {"per_second": 60}
    return {
        "province_hj212": province(province_port, retry=patient, rate=rate),
        "park_https": park(park_port, retry=patient | {"timeout_s": 2}, rate=rate),
    }


def main(root: Path, province_port: int, park_port: int) -> None:
    """Dispatch until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    site = make_site(root, load_clock(root / "clock.json"))
    run_dispatcher(
        site,
        REPORTS,
        endpoints(province_port, park_port),
        log_key=root / "var/log_sign.pem",
        stop=stop,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
