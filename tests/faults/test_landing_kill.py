"""Landing is killed again and again while the gateway reorders, repeats and delays segments.

Afterwards the raw tables hold exactly the rows that were sealed: none lost, none twice.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from ingestion.landing import LandingSpec, land_once
from ingestion.landing_commit import raw_table
from ingestion.landing_state import open_gaps
from lake import tables
from lake.migrations import migrate
from lake.state import utc_text
from lake.state_tables import latest_values, stream_observations, streams
from tests.fakes import landing_process
from tests.fakes.landing_process import spec_for
from tests.fakes.landing_segments import alarm, points, seal

ROOT = Path(__file__).parents[2]
POINTS, ALARMS = "opcua_a.points", "opcua_a.alarms"
SEGMENTS = 120
TAGS = 20
# The last number comes in time: nothing after it would show that it is missing.
LATE_SHARE, REPEATED_SHARE = 0.08, 0.25


def sealed(folder: Path, began: datetime) -> None:
    """Two streams of segments, ten seconds of plant time each, the newest of them recent."""
    for number in range(1, SEGMENTS + 1):
        at = began + timedelta(seconds=10 * (number - SEGMENTS))
        rows = points([(f"T{tag}", at, number * 100.0 + tag, 0) for tag in range(TAGS)])
        seal(folder, POINTS, number, rows)
        seal(folder, ALARMS, number, alarm(number))


def deliver(folder: Path, inbox: Path, stream: str, number: int) -> None:
    """Copy a segment as the gateway does: payload first, each under its name in one rename."""
    target = inbox / stream
    target.mkdir(parents=True, exist_ok=True)
    for suffix in (".parquet", ".json"):
        file = folder / stream / f"{number:012d}{suffix}"
        writing = target / f".{file.name}.writing"
        shutil.copyfile(file, writing)
        writing.rename(target / file.name)


def schedule(chance: random.Random) -> list[tuple[str, int]]:
    """An order of delivery: nearly in order, some repeated, some long after the others."""
    keyed: list[tuple[float, str, int]] = []
    for stream in (POINTS, ALARMS):
        for number in range(1, SEGMENTS + 1):
            is_late = number < SEGMENTS and chance.random() < LATE_SHARE
            keyed.append((number + chance.uniform(0, 6) + (SEGMENTS if is_late else 0), stream, number))
            if chance.random() < REPEATED_SHARE:
                keyed.append((number + chance.uniform(0, 40), stream, number))
    return [(stream, number) for _, stream, number in sorted(keyed)]


def start(inbox: Path, var: Path) -> subprocess.Popen[bytes]:
    script = Path(landing_process.__file__)
    return subprocess.Popen(
        [sys.executable, str(script), str(inbox), str(var)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def run_with_kills(folder: Path, inbox: Path, var: Path, chance: random.Random, kills: int) -> int:
    """Deliver everything while landing is killed; says how often it was killed while at work."""
    order = schedule(chance)
    at_work = 0
    for turn in range(kills):
        process = start(inbox, var)
        part = order[turn * len(order) // kills : (turn + 1) * len(order) // kills]
        held_back = chance.randrange(len(part) // 2, len(part))
        for stream, number in part[:held_back]:
            deliver(folder, inbox, stream, number)
        before = _done(inbox)
        give_up = time.monotonic() + 30
        while _done(inbox) == before and time.monotonic() < give_up:
            assert process.poll() is None, f"landing ended by itself with {process.returncode}"
            time.sleep(0.005)
        for stream, number in part[held_back:]:
            deliver(folder, inbox, stream, number)
        time.sleep(chance.uniform(0, 0.4))
        at_work += any(inbox.rglob("*.json"))
        process.send_signal(signal.SIGKILL)
        process.wait()
    return at_work


def _done(inbox: Path) -> frozenset[str]:
    """Which manifests wait; landing takes them away when they are landed."""
    return frozenset(str(file) for file in inbox.rglob("*.json"))


def settle(spec: LandingSpec) -> None:
    """Land the rest in this process."""
    while any(spec.inbox.rglob("*.json")):
        land_once(replace(spec, gap_wait_s=0.0))


def landed(spec: LandingSpec, stream: str, column: str) -> Counter[tuple[int, str]]:
    rows = tables.read(raw_table(spec.lake, stream), columns=["_sequence", column])
    return Counter(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("seed", "kills"),
    [pytest.param(20261116, 6), *(pytest.param(seed, 20, marks=pytest.mark.full) for seed in range(1, 6))],
)
def test_killed_landing_loses_and_doubles_nothing(tmp_path: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    folder, inbox, var = tmp_path / "sealed", tmp_path / "inbox", tmp_path / "var"
    inbox.mkdir()
    began = datetime.now(UTC).replace(microsecond=0)
    sealed(folder, began)
    spec = spec_for(inbox, var)
    migrate(spec.lake.state_url)
    at_work = run_with_kills(folder, inbox, var, chance, kills)
    print(f"seed {seed}: killed {kills} times, {at_work} of them with segments waiting")  # noqa: T201 - what was injected
    for stream in (POINTS, ALARMS):  # whatever the kills left over is delivered once more
        for number in range(1, SEGMENTS + 1):
            deliver(folder, inbox, stream, number)
    settle(spec)

    expected = {(number, f"T{tag}"): 1 for number in range(1, SEGMENTS + 1) for tag in range(TAGS)}
    assert landed(spec, POINTS, "tag_id") == expected, f"seed {seed}"
    assert landed(spec, ALARMS, "event_id") == {(n, f"{n:08x}"): 1 for n in range(1, SEGMENTS + 1)}, (
        f"seed {seed}"
    )
    with spec.state.read() as connection:
        found = {row.stream: row for row in connection.execute(select(streams))}
        newest = dict(connection.execute(select(latest_values.c.tag_id, latest_values.c.source_at_utc)).all())
        moments = connection.execute(select(stream_observations.c.observed_at_utc)).scalars().all()
        assert open_gaps(connection) == {}, f"seed {seed}"
    assert len(moments) == len(set(moments)) > 0
    assert (found[POINTS].last_sequence, found[POINTS].rows_total) == (SEGMENTS, SEGMENTS * TAGS)
    assert (found[ALARMS].last_sequence, found[ALARMS].rows_total) == (SEGMENTS, SEGMENTS)
    assert newest == {f"T{tag}": utc_text(began) for tag in range(TAGS)}
