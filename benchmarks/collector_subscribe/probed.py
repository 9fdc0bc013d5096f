"""The collector with a CPU clock around its stages (`-m benchmarks.collector_subscribe.probed`).

SIGUSR1 begins a count, SIGUSR2 ends it and writes it beside the settings. A stage's time is its own, without
that of stages inside it. The probes cost too, so this is never the run whose rate is told.
"""

from __future__ import annotations

import asyncio.base_events
import asyncio.selector_events
import functools
import json
import selectors
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.connection import SecureConnection
from asyncua.crypto import security_policies

from ingestion.collector import notifications, publish_requests, subscription, system
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.data_values import _Reading
from ingestion.collector.intake import Intake
from ingestion.collector.marks import Committed
from ingestion.collector.publishing import Publishing
from ingestion.collector.run import main

COUNTED = "stages.json"
ANSWERS = "answers"
_TRANSPORT: Any = vars(asyncio.selector_events)["_SelectorSocketTransport"]
# Stage: where it is done.
_STAGES: tuple[tuple[str, Any, str], ...] = (
    ("event_loop", asyncio.base_events.BaseEventLoop, "_run_once"),
    ("event_loop", selectors.EpollSelector, "select"),
    ("reading_the_socket", _TRANSPORT, "_read_ready__data_received"),
    ("channel_in", UASocketProtocol, "data_received"),
    ("decryption", security_policies.DecryptorAesCbc, "decrypt"),
    ("verification", security_policies.VerifierHMac256, "verify"),
    ("heads_of_answers", publish_requests._Asked, "set_result"),
    ("sequence_and_hand_on", Publishing, "_take"),
    ("finding_layouts", _Reading, "locate"),
    ("values_to_columns", _Reading, "fill"),
    ("values_to_columns", notifications, "read_arrays"),
    ("joining_a_burst", subscription, "join_live"),
    ("admission", Intake, "take"),
    ("admission", PointBuffer, "admit_live"),
    ("requests", publish_requests.PublishRequests, "ask"),
    ("channel_out", SecureConnection, "message_to_binary"),
    ("writing_the_socket", _TRANSPORT, "write"),
    ("draining_and_sorting", PointBuffer, "drain"),
    ("marks", Committed, "add"),
    ("status", system, "write_status"),
)


class Probes:
    """CPU of the main thread by stage, ns, and of the whole process."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside: list[int] = []
        self._before: tuple[Counter[str], int, int] = (Counter(), 0, 0)
        self._thread = threading.get_ident()

    def put_on(self, stage: str, owner: Any, name: str) -> None:
        """Clock a function."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def clocked(*args: Any, **options: Any) -> Any:
            if threading.get_ident() != self._thread:
                return function(*args, **options)
            begun = time.thread_time_ns()
            self._inside.append(0)
            try:
                return function(*args, **options)
            finally:
                spent = time.thread_time_ns() - begun
                self.spent[stage] += spent - self._inside.pop()
                self.spent[ANSWERS] += stage == "heads_of_answers"
                if self._inside:
                    self._inside[-1] += spent

        setattr(owner, name, clocked)

    def begin(self, *_: object) -> None:
        """Count from now on."""
        self._before = self.spent.copy(), time.thread_time_ns(), time.process_time_ns()

    def end(self, path: Path) -> None:
        """Write microseconds an answer, by stage."""
        before, main_ns, process_ns = self._before
        counted = {stage: spent - before[stage] for stage, spent in self.spent.items()}
        answers = counted.pop(ANSWERS)
        own_ns, all_ns = time.thread_time_ns() - main_ns, time.process_time_ns() - process_ns
        counted["everything_else"] = own_ns - sum(counted.values())
        counted["sealing"] = all_ns - own_ns
        path.write_text(json.dumps({stage: spent / 1000 / answers for stage, spent in counted.items()}))


if __name__ == "__main__":
    settings, probes = Path(sys.argv[1]), Probes()
    for stage, owner, name in _STAGES:
        probes.put_on(stage, owner, name)
    signal.signal(signal.SIGUSR1, probes.begin)
    signal.signal(signal.SIGUSR2, lambda *_: probes.end(settings.with_name(COUNTED)))
    main(settings)
