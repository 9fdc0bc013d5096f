"""The dispatcher is killed at random moments while answers get lost and a receiver is out of order.

Afterwards the receivers hold exactly what was queued, nothing twice, and ledger and log agree with them.
A failure prints the seed that repeats it.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import select

from exports.bundles import verify
from exports.outbox import build_due
from exports.proofs import prove
from exports.render.hj212 import frames_of
from exports.site import ExportSite
from lake.state_tables import merkle_checkpoints, merkle_leaves, receipts, submission_events, submissions
from protocols.clock import load_clock
from protocols.merkle import tree_root
from reference_plant.pki import make_pki
from reference_plant.receivers.control import ask
from tests.fakes.dispatcher_process import REPORTS, endpoints
from tests.fakes.export_platforms import running, set_plant, stored, wait_until
from tests.fakes.export_site import (
    DEVICES,
    free_port,
    hours,
    local,
    make_site,
    observe,
    park_rows,
    province_rows,
    write_rows,
)

NOW = local("2026-11-17T12:30:00")
FIRST = local("2026-11-16T18:00:00")
ROOT = Path(__file__).parents[2]
HOURS = 18
MINUTES = 30
KILLS = 5


class Run:
    """One plant with both receivers' ports, and a dispatcher that can be killed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.ports = {"province": free_port(), "park": free_port()}
        set_plant(root, self.ports, NOW, speed=1.0)
        self.site = make_site(root, load_clock(root / "clock.json"))
        make_pki(root / "pki", {})

    def queue(self) -> None:
        starts = hours(FIRST, HOURS)
        write_rows(self.site, "reg_province__hj212_hour", [row for at in starts for row in province_rows(at)])
        write_rows(self.site, "reg_park__outlet_hourly", [row for at in starts for row in park_rows(at)])
        built = build_due(self.site, REPORTS, endpoints(*self.ports.values()), since=FIRST)
        assert len(built.enqueued) == HOURS * (len(DEVICES) + 1)

    def observe(self, first_minute: int, minutes: int) -> None:
        for minute in range(first_minute, first_minute + minutes):
            for outlet_id in DEVICES:
                observe(self.site, outlet_id, NOW - timedelta(minutes=2 * MINUTES - minute))

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.fakes.dispatcher_process", str(self.site.root)]
        return subprocess.Popen([*command, *map(str, self.ports.values())], cwd=ROOT)

    def kill_at_random(self) -> None:
        before = self.count("acknowledged")
        process = self.start()
        wait_until(lambda: self.count("acknowledged") > before, "the dispatcher to get going")
        time.sleep(self.draw.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def count(self, state: str) -> int:
        with self.site.state.read() as conn:
            ids = select(submissions.c.submission_id).where(submissions.c.state == state)
            return len(conn.scalars(ids).all())

    def finish(self) -> None:
        process = self.start()
        try:
            wait_until(
                lambda: self.count("queued") + self.count("sending") == 0, "the outbox to empty", timeout_s=60
            )
        finally:
            process.terminate()
            process.wait(20)
        assert process.returncode == 0


def rows_of(site: ExportSite, table: Any) -> list[Any]:
    with site.state.read() as conn:
        return list(conn.execute(select(table)))


@pytest.fixture
def seed() -> int:
    chosen = random.SystemRandom().randrange(10_000)
    print(f"seed {chosen}")  # noqa: T201 - shown with a failure
    return chosen


def test_what_was_queued_arrives_once_whatever_kills_the_dispatcher(tmp_path: Path, seed: int) -> None:
    run = Run(tmp_path, seed)
    run.queue()
    with running("province", tmp_path) as province_control, running("park", tmp_path) as park_control:
        faults = {"do": "faults", "drop_probability": 0.2, "seed": seed}
        for control in (province_control, park_control):
            ask(control, dict(faults))
        for kill in range(KILLS):
            run.observe(kill * MINUTES // KILLS, MINUTES // KILLS)
            run.kill_at_random()
            ask(province_control, {"do": "faults", "closed": kill == 2})
        ask(province_control, {"do": "faults", "closed": False})
        run.finish()
    assert_receivers_hold_what_was_queued(run.site)
    assert_ledger_is_consistent(run.site)
    assert_log_proves_it(run.site)


def assert_receivers_hold_what_was_queued(site: ExportSite) -> None:
    queued = rows_of(site, submissions)
    assert {row.state for row in queued} == {"acknowledged"}
    ours = [
        (frame.mn, frame.cn, frame.qn, frame.value("DataTime"))
        for row in queued
        if row.endpoint_id == "province_hj212"
        for frame in frames_of(row.content)
    ]
    effective = "select mn, cn, qn, data_time from frames where accepted and not duplicate"
    theirs = stored(site.root, "province", effective)
    assert len(ours) == (HOURS + MINUTES) * len(DEVICES)
    assert Counter(theirs) == Counter(ours), "the province's effective set is not the queued set"
    keys = [row.idempotency_key for row in queued if row.endpoint_id == "park_https"]
    held = stored(site.root, "park", "select idempotency_key from reports order by sequence")
    assert [key for (key,) in held] == keys, "the park's reports are not the queued ones in order"


def assert_ledger_is_consistent(site: ExportSite) -> None:
    paths: dict[int, list[str]] = {}
    for event in sorted(rows_of(site, submission_events), key=lambda event: event.event_id):
        path = paths.setdefault(event.submission_id, [])
        assert event.from_state == (path[-1] if path else None)
        path.append(event.to_state)
    assert {path[-1] for path in paths.values()} == {"acknowledged"}
    answered = Counter(receipt.submission_id for receipt in rows_of(site, receipts))
    assert answered == Counter(dict.fromkeys(paths, 1)), "a submission has no receipt, or several"
    repeated = sum(path.count("sending") > 1 for path in paths.values())
    assert repeated, (
        "no submission was ever under way when the dispatcher was killed: the test tested nothing"
    )


def assert_log_proves_it(site: ExportSite) -> None:
    leaves = sorted(rows_of(site, merkle_leaves), key=lambda leaf: leaf.leaf_index)
    last = max(rows_of(site, merkle_checkpoints), key=lambda checkpoint: checkpoint.tree_size)
    assert [leaf.leaf_index for leaf in leaves] == list(range(last.tree_size))
    assert tree_root([bytes.fromhex(leaf.leaf_sha256) for leaf in leaves]).hex() == last.root_sha256
    verify_key = load_pem_public_key((site.root / "var/log_verify.pem").read_bytes())
    for row in rows_of(site, submissions)[:: HOURS * 2]:
        bundle = prove(site.state, site.site_id, site.lake.export_log, row.idempotency_key)
        assert verify(bundle, verify_key).faults == ()  # type: ignore[arg-type]
