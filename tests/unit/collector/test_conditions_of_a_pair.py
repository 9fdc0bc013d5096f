"""Conditions over a takeover: the other collector knows what was open, ends it once, and doubles nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.collector.alarms import Alarms
from ingestion.collector.conditions import FILE_NAME
from ingestion.collector.sealing import Pairing, Sealer
from ingestion.collector.standby.copies import Copies, copy_folder, peer_marks
from ingestion.collector.standby.replicating import Replication
from ingestion.collector.status import Status
from protocols.clock import ScaledClock
from protocols.segments import manifest_path, read_table, sequences
from tests.unit.collector.test_conditions import BEGIN, END, KEY, NAMESPACES, NOW, OVER, Fields, event

SYSTEM = "plant"
Life = tuple[str, bool | None, str]


@dataclass
class Side:
    """One collector of the pair."""

    root: Path
    suffix: str
    peer_suffix: str

    def collect(self, *events: Fields) -> None:
        """Take over, be told these, seal and stand by again."""

        async def run() -> None:
            clock = ScaledClock(NOW, NOW, speed=1.0)
            pairing = Pairing(
                self.suffix,
                peer_marks(self.root, SYSTEM, self.peer_suffix),
                copy_folder(self.root, SYSTEM),
                self.peer_suffix,
            )
            sealer = Sealer(self.root / SYSTEM, SYSTEM, KEY, clock, pairing)
            alarms = Alarms(sealer, clock, Status(SYSTEM, "opc.tcp://x"), None)
            alarms._namespaces = NAMESPACES
            alarms.take(list(events))
            await alarms.seal()
            sealer.checkpoint()

        asyncio.run(run())

    def give_to(self, other: Side) -> None:
        """Copy everything new."""
        copies = Copies(other.root, [SYSTEM], self.suffix, KEY.public_key())
        replication = Replication(self.root, [SYSTEM], self.suffix)
        replication.begin(copies.held())
        while (parcel := replication.next()) is not None:
            header, body = parcel.header, parcel.body
            if header["put"] == "base":
                copies.put_base(SYSTEM, body)
            elif header["put"] == "file":
                copies.put_file(SYSTEM, header["name"], body)
            else:
                size = header["manifest_size"]
                copies.put_segment(SYSTEM, header["stream"], header["number"], body[:size], body[size:])
            replication.given(parcel)

    def lives(self) -> list[Life]:
        """What it sealed."""
        stream = f"{SYSTEM}.alarms{self.suffix}"
        found = [
            row
            for number in sequences(self.root / SYSTEM, stream)
            for row in read_table(manifest_path(self.root / SYSTEM, stream, number)).to_pylist()
        ]
        return [(row["condition_id"][-1], row["is_active"], row["told_by"]) for row in found]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Side, Side]:
    return Side(tmp_path / "main", "", "_spare"), Side(tmp_path / "spare", "_spare", "")


@pytest.mark.parametrize("has_file", [True, False])
def test_what_ended_during_a_takeover_is_ended_by_the_one_that_took_over(
    pair: tuple[Side, Side], has_file: bool
) -> None:
    main, spare = pair
    main.collect(event(1, 0, "A"), event(2, 1, "B"))
    main.give_to(spare)
    if not has_file:  # it is written behind the segment and may not have come any more
        (copy_folder(spare.root, SYSTEM) / FILE_NAME).unlink()
    for _ in range(2):  # a restart adds nothing
        spare.collect(BEGIN, event(2, 1, "B"), END)
    assert spare.lives() == [("A", False, "absence")]
    spare.give_to(main)
    main.collect(BEGIN, event(2, 1, "B"), END)
    assert main.lives() == [("A", True, "notification"), ("B", True, "notification")]


def test_what_the_other_one_saw_end_is_not_ended_again(pair: tuple[Side, Side]) -> None:
    main, spare = pair
    main.collect(event(1, 0, "A"), event(2, 1, "B"))
    main.give_to(spare)
    spare.collect(BEGIN, event(1, 0, "A"), event(2, 1, "B"), END, event(3, 60, "A", **OVER))
    spare.give_to(main)
    main.collect(BEGIN, event(2, 1, "B"), END)
    assert spare.lives() == [("A", False, "notification")]
    assert main.lives() == [("A", True, "notification"), ("B", True, "notification")]


def test_what_the_other_one_saw_begin_is_ended_here(pair: tuple[Side, Side]) -> None:
    main, spare = pair
    spare.collect(event(1, 0, "A"))
    spare.give_to(main)
    main.collect(BEGIN, END)
    assert main.lives() == [("A", False, "absence")]
