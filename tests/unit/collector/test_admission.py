"""What sources send is admitted once: late, repeated, corrected; known again from the segments alone."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector import sealing
from ingestion.collector.sealing import Sealer
from ingestion.collector.sources import admission as admission_module
from ingestion.collector.sources.admission import Admission
from ingestion.collector.sources.items import Refusal, SourceEvent, SourcePoint, Taken, digest
from ingestion.collector.sources.known_times import FILE_NAME, KnownTimes
from ingestion.collector.sources.turns import Turns, day_of
from ingestion.collector.status import Status
from protocols.clock import SystemClock
from protocols.opcua_time import TICKS_PER_SECOND, to_ticks
from protocols.segments import manifest_path, read_table, sequences

CLOCK = SystemClock()
NOW = to_ticks(CLOCK.now())
KEY = Ed25519PrivateKey.generate()
STREAMS = {"s.points": "points", "s.events": "events"}


class Station:
    """A system's folder with everything that admits and seals."""

    def __init__(self, folder: Path, remember_days: int = 7, today: int | None = None) -> None:
        self.folder = folder
        self.sealer = Sealer(folder, "s", KEY, CLOCK)
        self.known = KnownTimes(folder, STREAMS, day_of(CLOCK) if today is None else today, remember_days)
        self.admission = Admission(self.known, self.sealer.marks("points"), remember_days)
        self.status = Status("s", "test://")
        self.turns = Turns(
            self.admission, self.known, self.sealer, self.status, CLOCK, every_s=1, rows=10**6, stalled_at=1
        )
        self.told = 0

    def take(self, *points: SourcePoint, events: tuple[SourceEvent, ...] = ()) -> None:
        self.admission.take(Taken(list(points), list(events)), NOW, self.tell)

    def tell(self) -> None:
        self.told += 1

    def seal(self) -> None:
        asyncio.run(self.turns.seal())

    def rows(self, kind: str = "points") -> list[dict[str, object]]:
        numbers = sequences(self.folder, f"s.{kind}")
        tables = [read_table(manifest_path(self.folder, f"s.{kind}", number)) for number in numbers]
        return [row for table in tables for row in table.to_pylist()]


def point(second: int, value: float | None = None, text: str | None = None, tag: str = "A") -> SourcePoint:
    value = float(second) if value is None and text is None else value
    return SourcePoint(tag, NOW - 3600 * TICKS_PER_SECOND + second * TICKS_PER_SECOND, value, text)


def event(number: int, message: str = "m") -> SourceEvent:
    return SourceEvent(f"e{number}", "cam", "move", NOW - number, message, None, None, "t")


def test_points_in_any_order_and_any_number_of_times_are_sealed_once(tmp_path: Path) -> None:
    chance = random.Random(5)
    sent = [point(second, tag=chance.choice("AB")) for second in range(200)]
    again = sent + chance.sample(sent, 100)
    chance.shuffle(again)
    for begin in range(0, len(again), 40):
        station = Station(tmp_path)  # every batch in a process of its own
        station.take(*again[begin : begin + 40])
        station.seal()
        station.known.close()
    found = sorted((row["tag_id"], row["value_number"]) for row in station.rows())
    assert found == sorted((one.tag_id, one.number) for one in sent)
    assert station.rows("quarantine") == []


def test_what_is_known_is_made_anew_from_the_segments(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.take(point(5), point(3), point(4, None, "run"), events=(event(1),))
    station.seal()
    station.known.close()
    for damage in (None, b"no database at all, but long enough to be taken for one" * 50):
        for file in tmp_path.glob(f"{FILE_NAME}*"):
            file.unlink()
        if damage:
            (tmp_path / FILE_NAME).write_bytes(damage)
        station = Station(tmp_path)
        station.take(point(5), point(3), point(4, None, "run"), events=(event(1),))
        station.seal()
        assert (len(station.rows()), len(station.rows("events"))) == (3, 1)
        assert (station.admission.counts["repeated"], station.told) == (4, 1)
        station.known.close()


def test_a_crash_between_the_seal_and_what_is_known_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(KnownTimes, "add", lambda *_: 1 / 0)
        station.take(point(5), point(3))
        with pytest.raises(ZeroDivisionError):
            station.seal()
    assert station.told == 0
    station.known.close()
    station = Station(tmp_path)
    station.take(point(5), point(3), point(4))
    station.seal()
    assert sorted(row["value_number"] for row in station.rows()) == [3.0, 4.0, 5.0]


def test_a_correction_is_told_once_and_the_first_value_stands(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.take(point(1), point(1, 9.0), point(1, 9.0))
    station.seal()
    station.take(point(1, 9.0), point(1))
    station.seal()
    assert [row["value_number"] for row in station.rows()] == [1.0]
    assert [row["reason_code"] for row in station.rows("quarantine")] == ["changed_value"]


def test_what_is_forgotten_is_kept_rather_than_lost_but_never_the_mark_itself(tmp_path: Path) -> None:
    station = Station(tmp_path)
    station.take(point(1), point(5))
    station.seal()
    station.known.close()
    later = Station(tmp_path, remember_days=1, today=day_of(CLOCK) + 3)
    assert later.known.find("A", point(5).ticks) == set()
    later.take(point(2), point(5))
    later.seal()
    assert sorted(row["value_number"] for row in later.rows()) == [1.0, 2.0, 5.0]


def test_a_full_disk_keeps_senders_waiting_and_nothing_is_sealed_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(tmp_path)
    write = sealing.write_segment

    def refuse(directory: Path, stream: str, *rest: object, **named: object) -> Path:
        if stream == "s.events":
            raise OSError(28, "No space left on device")
        return write(directory, stream, *rest, **named)  # type: ignore[arg-type]

    station.take(point(1), events=(event(1),))
    with monkeypatch.context() as patch:
        patch.setattr(sealing, "write_segment", refuse)
        for _ in range(2):
            with pytest.raises(OSError, match="No space left"):
                station.seal()
    assert (station.told, station.turns.is_stuck) == (0, True)
    station.take(point(1), point(2))
    station.seal()
    station.seal()
    assert [row["value_number"] for row in station.rows()] == [1.0, 2.0]
    assert (station.told, len(station.rows("events"))) == (2, 1)


@pytest.mark.parametrize(
    "ticks",
    [0, 5, NOW + 30 * 3600 * TICKS_PER_SECOND, 2**62],
    ids=["before 1601", "the first year", "a day and more ahead", "no instant"],
)
def test_impossible_times_are_refused(tmp_path: Path, ticks: int) -> None:
    station = Station(tmp_path)
    station.take(SourcePoint("A", ticks, 1.0, None))
    station.seal()
    assert station.rows() == []
    assert [row["reason_code"] for row in station.rows("quarantine")] == ["wrong_time"]


def test_a_flood_of_refusals_is_counted_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "REFUSALS_A_MINUTE", 5)
    station = Station(tmp_path)
    for _ in range(50):
        station.admission.refuse(Refusal("t", "no_json", "不是", "no", "x" * 10_000), NOW)
    station.admission.refuse(Refusal("t", "no_json", "不是", "no", ""), NOW + 60 * TICKS_PER_SECOND)
    station.seal()
    rows = station.rows("quarantine")
    assert len(rows) == 7
    assert sum(row["reason_code"] == "more_refused" and "45" in str(row["reason_en"]) for row in rows) == 1
    assert max(len(str(row["content"])) for row in rows) <= 2_000
    assert station.admission.counts["refused_no_json"] == 51


def test_digests_survive_the_way_through_a_segment() -> None:
    assert digest(1, None, 0) == digest(1.0, None, 0)
    assert digest(float("nan"), None, 0) == digest(float("nan"), None, 0)
    assert digest(0.0, None, 0) != digest(-0.0, None, 0)
    assert digest(None, "1.0", 0) != digest(1.0, None, 0)
