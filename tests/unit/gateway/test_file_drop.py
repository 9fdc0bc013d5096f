"""The one-way file drop under loss, repetition, reordering and forgery; and what the sender keeps."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.gateway.file_drop import FileDrop
from ingestion.gateway.quarantine import Quarantine
from ingestion.gateway.receiver import Arrivals, Gap, Receiver
from ingestion.gateway.sender import Sender
from protocols.points import POINTS
from protocols.segments import write_segment

SYSTEM, STREAM, OTHER = "plant", "plant.points", "plant.alarms"
AT = datetime(2026, 11, 16, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()


class Seconds:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def table(number: int) -> pa.Table:
    row = {
        "tag_id": "A",
        "source_at_utc": AT + timedelta(seconds=number),
        "source_at_100ns": 0,
        "value_number": float(number),
        "status_code": 0,
        "arrived_at_utc": AT,
    }
    return pa.Table.from_pylist([row], schema=POINTS)


def seal(folder: Path, *numbers: int, key: Ed25519PrivateKey = KEY) -> None:
    for number in numbers:
        write_segment(folder, STREAM, number, table(number), "points", {}, key, AT)


def receiver(inbox: Path, seconds: Seconds | None = None) -> Receiver:
    return Receiver(inbox, KEY.public_key(), gap_wait_s=5.0, monotonic=seconds or Seconds())


def handed(arrivals: Arrivals) -> list[int]:
    return [segment.manifest.sequence for segment in arrivals.segments]


def test_segments_are_handed_on_in_order_until_they_are_done(tmp_path: Path) -> None:
    seal(tmp_path / "in", 3, 1, 2)
    found = receiver(tmp_path / "in")
    arrivals = found.ready({})
    assert handed(arrivals) == [1, 2, 3]
    assert arrivals.segments[0].read()["value_number"].to_pylist() == [1.0]
    assert handed(found.ready({})) == [1, 2, 3]
    for segment in arrivals.segments:
        found.done(segment)
    assert found.ready({STREAM: 3}) == Arrivals()
    assert list((tmp_path / "in" / STREAM).iterdir()) == []


def test_no_inbox_yet_is_nothing_to_land(tmp_path: Path) -> None:
    assert receiver(tmp_path / "none").ready({}) == Arrivals()


def test_a_missing_number_is_waited_for_then_reported_and_the_later_ones_handed_on(tmp_path: Path) -> None:
    seconds = Seconds()
    seal(tmp_path / "in", 1, 4)
    found = receiver(tmp_path / "in", seconds)
    assert handed(found.ready({})) == [1]
    seconds.now += 4.9
    assert handed(found.ready({})) == [1]
    seconds.now += 0.2
    arrivals = found.ready({})
    assert handed(arrivals) == [1, 4]
    assert arrivals.gaps == [Gap(STREAM, 2), Gap(STREAM, 3)]


def test_several_missing_numbers_are_waited_for_together(tmp_path: Path) -> None:
    seconds = Seconds()
    seal(tmp_path / "in", 2, 4, 5, 8)
    found = receiver(tmp_path / "in", seconds)
    assert found.ready({}) == Arrivals()
    seconds.now += 5
    arrivals = found.ready({})
    assert handed(arrivals) == [2, 4, 5, 8]
    assert [gap.sequence for gap in arrivals.gaps] == [1, 3, 6, 7]


def test_a_number_that_comes_in_time_is_no_gap(tmp_path: Path) -> None:
    seconds = Seconds()
    seal(tmp_path / "in", 1, 3)
    found = receiver(tmp_path / "in", seconds)
    found.ready({})
    seconds.now += 4
    seal(tmp_path / "in", 2)
    seconds.now += 4
    arrivals = found.ready({})
    assert (handed(arrivals), arrivals.gaps) == ([1, 2, 3], [])


def test_a_late_number_of_a_recorded_gap_is_a_refill_and_a_repeated_one_is_dropped(tmp_path: Path) -> None:
    seal(tmp_path / "in", 2, 3)
    arrivals = receiver(tmp_path / "in").ready({STREAM: 4}, {STREAM: [2]})
    assert [(s.manifest.sequence, s.is_refill) for s in arrivals.segments] == [(2, True)]
    assert sorted(path.name for path in (tmp_path / "in" / STREAM).iterdir()) == [
        "000000000002.json",
        "000000000002.parquet",
    ]


def forge(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows": 99}))


def swap_payload(path: Path) -> None:
    path.with_suffix(".parquet").write_bytes(b"PAR1 something else PAR1")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def link_payload(path: Path) -> None:
    payload = path.with_suffix(".parquet")
    payload.rename(payload.with_name("000000000009.parquet"))
    payload.symlink_to(payload.with_name("000000000009.parquet"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(forge, "not signed"), (swap_payload, "SHA-256"), (cut, "whole JSON"), (link_payload, "symbolic link")],
)
def test_a_bad_segment_is_quarantined_with_its_reason_and_then_missing(
    tmp_path: Path, damage, reason: str
) -> None:
    seconds = Seconds()
    seal(tmp_path / "in", 1, 2, 3)
    damage(tmp_path / "in" / STREAM / "000000000002.json")
    found = receiver(tmp_path / "in", seconds)
    first = found.ready({})
    assert handed(first) == [1]
    (refused,) = first.quarantined
    assert reason in refused.reason
    assert refused.kept_as.parent == tmp_path / "quarantine"
    assert refused.kept_as.exists()
    seconds.now += 6
    second = found.ready({})
    assert (handed(second), second.gaps, second.quarantined) == ([1, 3], [Gap(STREAM, 2)], [])


def test_a_collector_that_begins_to_number_anew_is_told_and_its_segments_kept(tmp_path: Path) -> None:
    found = receiver(tmp_path / "in")
    seal(tmp_path / "in", 1)
    repeated = found.ready({STREAM: 5}, landed_at={STREAM: AT - timedelta(minutes=59)})
    assert (repeated, list((tmp_path / "in" / STREAM).iterdir())) == (Arrivals(), [])
    seal(tmp_path / "in", 1, 2)
    arrivals = found.ready({STREAM: 5}, landed_at={STREAM: AT - timedelta(minutes=61)})
    assert (handed(arrivals), list((tmp_path / "in" / STREAM).iterdir())) == ([], [])
    assert [refused.name for refused in arrivals.quarantined] == [STREAM, STREAM]
    assert "begins anew" in arrivals.quarantined[0].reason
    assert len(list((tmp_path / "quarantine").glob("*.reason.json"))) == 4  # two manifests, two payloads


def test_segments_of_another_key_never_get_in(tmp_path: Path) -> None:
    seal(tmp_path / "in", 1, 2, key=Ed25519PrivateKey.generate())
    seconds = Seconds()
    found = receiver(tmp_path / "in", seconds)
    first = found.ready({})
    seconds.now += 6
    second = found.ready({})
    assert (first.segments, second.segments, second.gaps) == ([], [], [])
    assert len(first.quarantined + second.quarantined) == 2


def test_a_payload_that_comes_after_its_manifest_is_waited_for(tmp_path: Path) -> None:
    seconds = Seconds()
    seal(tmp_path / "in", 1)
    payload = tmp_path / "in" / STREAM / "000000000001.parquet"
    payload.rename(tmp_path / "kept")
    found = receiver(tmp_path / "in", seconds)
    assert found.ready({}) == Arrivals()
    (tmp_path / "kept").rename(payload)
    assert handed(found.ready({})) == [1]
    payload.unlink()
    found.ready({})
    seconds.now += 6
    assert "without its payload" in found.ready({}).quarantined[0].reason


@pytest.mark.parametrize(
    "name", ["x.sh", "0.json", "000000000001.JSON", "..json", "a\nb.json", "1e3.parquet", "九.json"]
)
def test_a_hostile_file_name_is_quarantined_under_a_name_of_our_own(tmp_path: Path, name: str) -> None:
    seal(tmp_path / "in", 1)
    (tmp_path / "in" / STREAM / name).write_bytes(b"x")
    arrivals = receiver(tmp_path / "in").ready({})
    assert handed(arrivals) == [1]
    if name.startswith("."):
        assert arrivals.quarantined == []  # a dot file is one that the gateway still writes
        return
    (refused,) = arrivals.quarantined
    assert refused.kept_as.read_bytes() == b"x"
    assert refused.kept_as.name.isascii()


def test_an_inbox_on_another_disk_is_cleared_of_bad_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    seal(tmp_path / "in", 1, key=Ed25519PrivateKey.generate())
    monkeypatch.setattr(os, "rename", refuse)
    (refused,) = receiver(tmp_path / "in").ready({}).quarantined
    assert refused.kept_as.is_file()
    assert list((tmp_path / "in" / STREAM).iterdir()) == []


def test_rubbish_without_end_does_not_fill_the_quarantine(tmp_path: Path) -> None:
    kept = Quarantine(tmp_path / "quarantine", limit_bytes=10_000, limit_files=12)
    for number in range(30):
        path = tmp_path / f"rubbish{number}"
        path.write_bytes(b"x" * (100 if number < 20 else 4_000))
        last = kept.take(path, "rubbish").kept_as
        files = list((tmp_path / "quarantine").iterdir())
        assert len(files) <= 12
        assert sum(file.stat().st_size for file in files) < 15_000
        assert last.exists()


def test_a_hostile_folder_or_link_is_quarantined_unread(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "evil.points").symlink_to(outside)
    (tmp_path / "in" / "Not A Stream").mkdir()
    arrivals = receiver(tmp_path / "in").ready({})
    assert len(arrivals.quarantined) == 2
    assert (outside / "secret").read_text() == "secret"
    assert list((tmp_path / "in").iterdir()) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
@example(1200315)  # three holes, of which the last was seen early
def test_whatever_the_gateway_does_each_segment_is_landed_once_or_stays_a_gap(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance, folder, seconds = random.Random(seed), tmp_path_factory.mktemp("drop"), Seconds()
    seal(folder / "out", *range(1, 9))
    deliveries = [number for number in range(1, 9) for _ in range(chance.choice((0, 1, 1, 2)))]
    chance.shuffle(deliveries)
    found, landed, gaps, position = receiver(folder / "in", seconds), [], set(), 0
    for number in [*deliveries, None, None]:
        if number is not None:
            deliver(folder, number)
        seconds.now += chance.choice((0.0, 1.0, 6.0)) if number is not None else 6.0
        arrivals = found.ready({STREAM: position}, {STREAM: gaps})
        gaps |= {gap.sequence for gap in arrivals.gaps}
        for segment in arrivals.segments:
            landed.append(segment.manifest.sequence)
            gaps.discard(segment.manifest.sequence)
            position = max(position, segment.manifest.sequence)
            found.done(segment)
    assert sorted(landed) == sorted(set(deliveries)), f"seed {seed}"
    assert gaps == {number for number in range(1, position) if number not in deliveries}, f"seed {seed}"


def deliver(folder: Path, number: int) -> None:
    target = folder / "in" / STREAM
    target.mkdir(parents=True, exist_ok=True)
    for suffix in (".parquet", ".json"):
        name = f"{number:012d}{suffix}"
        shutil.copy(folder / "out" / STREAM / name, target / name)


def test_the_sender_copies_each_segment_once_and_remembers_it(tmp_path: Path) -> None:
    seal(tmp_path / "state" / SYSTEM, 1, 2)
    sender = Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1)
    assert sender.send_once() == 2
    assert sender.send_once() == 0
    seal(tmp_path / "state" / SYSTEM, 3)
    assert Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1).send_once() == 1
    assert handed(receiver(tmp_path / "drop").ready({})) == [1, 2, 3]


def test_a_gateway_that_is_away_is_tried_again_without_loss(tmp_path: Path) -> None:
    seal(tmp_path / "state" / SYSTEM, 1)
    (tmp_path / "drop").write_text("a file where the folder should be")
    sender = Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1)
    with pytest.raises(OSError, match="drop"):
        sender.send_once()
    (tmp_path / "drop").unlink()
    assert sender.send_once() == 1


def test_an_operator_can_order_segments_again(tmp_path: Path) -> None:
    seal(tmp_path / "state" / SYSTEM, 1, 2, 3)
    sender = Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1)
    sender.send_once()
    shutil.rmtree(tmp_path / "drop")
    assert sender.resend(SYSTEM, STREAM, 2, 9) == 2
    assert handed(receiver(tmp_path / "drop").ready({STREAM: 1})) == [2, 3]


def test_segments_deleted_before_they_were_sent_hold_nothing_back(tmp_path: Path) -> None:
    folder = tmp_path / "state" / SYSTEM
    seal(folder, 1, 2, 3, 4)
    for file in (folder / STREAM).glob("00000000000[23].*"):
        file.unlink()
    sender = Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1)
    assert sender.send_once() == 2
    assert sender.send_once() == 0
    seconds = Seconds()
    found = receiver(tmp_path / "drop", seconds)
    assert handed(found.ready({})) == [1]
    seconds.now += 6
    assert found.ready({}).gaps == [Gap(STREAM, 2), Gap(STREAM, 3)]


def test_a_lost_sent_mark_sends_again_what_is_still_here(tmp_path: Path) -> None:
    folder = tmp_path / "state" / SYSTEM
    seal(folder, 1, 2, 3)
    Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1).send_once()
    (folder / "sent.json").unlink()
    (folder / STREAM / "000000000001.json").unlink()  # past retention
    assert Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1).send_once() == 2


def test_only_old_sent_and_checkpointed_segments_are_deleted_and_never_the_last(tmp_path: Path) -> None:
    system = tmp_path / "state" / SYSTEM
    seal(system, *range(1, 8))
    for number in (1, 2, 3, 6, 7):
        path = system / STREAM / f"{number:012d}.json"
        os.utime(path, (0, 0))
    sender = Sender(tmp_path / "state", FileDrop(tmp_path / "drop"), retain_hours=1)
    assert sender.clean() == 0  # nothing is sent
    sender.send_once()
    assert sender.clean() == 0  # no checkpoint holds their marks
    (system / "marks.json").write_text(json.dumps({"last_sequences": {STREAM: 3}}))
    assert sender.clean() == 2
    assert sorted(path.stem for path in (system / STREAM).glob("*.json"))[0] == "000000000003"
