"""Who of a pair collects, and that the other one's copy is always good enough to go on from."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector.open_holes import HoleStore, KeptHole
from ingestion.collector.sealing import Pairing, Sealer
from ingestion.collector.standby.copies import Copies, adopt_holes, peer_marks
from ingestion.collector.standby.election import Act, Heard, Standing, decide, next_epoch
from ingestion.collector.standby.peer_view import PeerView
from ingestion.collector.standby.replicating import Replication
from ingestion.gateway.sent_ledger import SentLedger
from protocols.clock import SystemClock
from protocols.segments import SegmentError, sequences
from tests.fakes.landing_segments import KEY, minute_points

PATIENCE_S = 5.0
MAIN, SPARE = Standing("m", is_main=True), Standing("s", is_main=False)
SYSTEM, SPARE_POINTS = "opcua_a", "opcua_a.points_spare"


def active(standing: Standing, epoch: int) -> Standing:
    return replace(standing, is_active=True, epoch=epoch, led_epoch=epoch)


def led(standing: Standing, epoch: int) -> Standing:
    return replace(standing, epoch=epoch, led_epoch=epoch)


@pytest.mark.parametrize(
    ("own", "heard", "act"),
    [
        # The peer is heard and collects: the other one waits, for ever.
        (SPARE, Heard(active(MAIN, 1), 0.1), Act.STAY),
        (MAIN, Heard(active(SPARE, 2), 0.1), Act.STAY),
        # It is silent.
        (SPARE, Heard(active(MAIN, 1), 4.9), Act.STAY),
        (SPARE, Heard(active(MAIN, 1), 5.0), Act.ACTIVATE),
        (MAIN, Heard(active(SPARE, 2), 5.0), Act.ACTIVATE),
        # Never heard since the start: the main goes first.
        (MAIN, Heard(None, 5.0), Act.ACTIVATE),
        (SPARE, Heard(None, 5.0), Act.STAY),
        (SPARE, Heard(None, 10.0), Act.ACTIVATE),
        # Both wait: the one that collected last, then the main.
        (MAIN, Heard(SPARE, 0.1), Act.ACTIVATE),
        (SPARE, Heard(MAIN, 0.1), Act.STAY),
        (SPARE, Heard(led(MAIN, 1), 0.1), Act.STAY),
        (led(SPARE, 2), Heard(led(MAIN, 1), 0.1), Act.ACTIVATE),
        (led(MAIN, 1), Heard(led(SPARE, 2), 0.1), Act.STAY),
        (led(MAIN, 1), Heard(led(SPARE, 2), 0.1, both_wait_s=10.0), Act.ACTIVATE),
        # Handed over.
        (SPARE, Heard(replace(led(MAIN, 1), yields=True), 0.1), Act.ACTIVATE),
        (replace(led(MAIN, 1), yields=True), Heard(SPARE, 0.1), Act.STAY),
        # The active one lacks a server that we reach.
        (SPARE, Heard(active(MAIN, 1), 0.1, may_claim=True), Act.ACTIVATE),
        # Both collect: the higher epoch goes on, of equal ones the main.
        (active(MAIN, 1), Heard(active(SPARE, 2), 0.1), Act.STEP_DOWN),
        (active(SPARE, 2), Heard(active(MAIN, 1), 0.1), Act.STAY),
        (active(SPARE, 2), Heard(active(MAIN, 2), 0.1), Act.STEP_DOWN),
        (active(MAIN, 2), Heard(active(SPARE, 2), 0.1), Act.STAY),
        # Whoever collects and hears nobody goes on.
        (active(MAIN, 1), Heard(active(SPARE, 2), 60.0), Act.STAY),
        (active(SPARE, 2), Heard(None, 60.0), Act.STAY),
    ],
)
def test_the_rules(own: Standing, heard: Heard, act: Act) -> None:
    assert decide(own, heard, PATIENCE_S) is act


def test_whatever_happened_two_that_hear_each_other_end_with_one_that_collects() -> None:
    for seed in range(2000):
        chance = random.Random(seed)
        pair = [
            replace(
                each,
                is_active=chance.random() < 0.5,
                epoch=(epoch := chance.randrange(4)),
                led_epoch=epoch,
                yields=chance.random() < 0.2,
            )
            for each in (MAIN, SPARE)
        ]
        waited_s = 0.0
        for _ in range(6):
            at = chance.randrange(2)
            own, peer = pair[at], pair[1 - at]
            heard = Heard(peer, 0.1, waited_s)
            act = decide(own, heard, PATIENCE_S)
            if act is Act.ACTIVATE:
                epoch = next_epoch(own, peer)
                pair[at] = replace(own, is_active=True, epoch=epoch, led_epoch=epoch, yields=False)
            elif act is Act.STEP_DOWN:
                pair[at] = replace(own, is_active=False)
            waited_s = waited_s + PATIENCE_S if not any(each.is_active for each in pair) else 0.0
        # One that was never asked in these turns is asked now.
        for at in (0, 1, 0, 1):
            act = decide(pair[at], Heard(pair[1 - at], 0.1, 2 * PATIENCE_S), PATIENCE_S)
            if act is Act.ACTIVATE:
                epoch = next_epoch(pair[at], pair[1 - at])
                pair[at] = replace(pair[at], is_active=True, epoch=epoch, led_epoch=epoch, yields=False)
            elif act is Act.STEP_DOWN:
                pair[at] = replace(pair[at], is_active=False)
        assert [each.is_active for each in pair].count(True) == 1, (seed, pair)


def test_a_standing_survives_the_wire() -> None:
    standing = replace(active(MAIN, 7), unreached=("opcua_a",))
    assert Standing.of(standing.fields()) == standing


def test_a_process_that_stood_still_does_not_take_that_time_for_the_peers_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    view = PeerView(SystemClock(), 20.0)
    view.hear(active(MAIN, 1))
    view.look(is_active=False)
    now += 60.0  # frozen
    view.look(is_active=False)
    assert view.silent_s == 0
    now += 0.5
    view.look(is_active=False)
    assert view.silent_s == 0.5


class TwoFolders:
    """The spare collects, the main stands by: their folders, and what goes from one to the other."""

    def __init__(self, root: Path) -> None:
        self.spare, self.main = root / "spare", root / "main"
        self.sealer = Sealer(self.spare / SYSTEM, SYSTEM, KEY, SystemClock(), Pairing("_spare"))
        self.connect()

    def connect(self) -> None:
        """Both begin anew with what is on their disks."""
        self.copies = Copies(self.main, [SYSTEM], "_spare", KEY.public_key())
        self.replication = Replication(self.spare, [SYSTEM], "_spare")
        self.replication.begin(self.copies.held())

    def seal(self, number: int) -> None:
        rows = minute_points(number)
        at = int((datetime(2026, 11, 16, tzinfo=UTC) + timedelta(minutes=number)).timestamp())
        marks = {f"T{tag}": at for tag in range(3)}
        asyncio.run(self.sealer.seal("points", rows, marks))

    def give(self, most: int = 1000) -> int:
        """Give parcels; how many."""
        for count in range(most):
            parcel = self.replication.next()
            if parcel is None:
                return count
            if parcel.header["put"] == "base":
                self.copies.put_base(parcel.header["system"], parcel.body)
            elif parcel.header["put"] == "file":
                self.copies.put_file(parcel.header["system"], parcel.header["name"], parcel.body)
            else:
                size = parcel.header["manifest_size"]
                body, number = parcel.body, parcel.header["number"]
                self.copies.put_segment(SYSTEM, parcel.header["stream"], number, body[:size], body[size:])
            self.replication.given(parcel)
        return most

    def note_sent(self, last: int) -> None:
        ledger = SentLedger(self.spare / SYSTEM)
        ledger.advance(SPARE_POINTS, last)
        ledger.save()
        self.copies.note_sent(self.replication.sent())

    def marks(self) -> dict[str, int]:
        """What the main would go on from."""
        found = peer_marks(self.main, SYSTEM, "_spare")
        sealer = Sealer(self.main / SYSTEM, SYSTEM, KEY, SystemClock(), Pairing("", found))
        return dict(sealer.marks("points"))

    def copied(self) -> list[int]:
        return sequences(self.main / "peer" / SYSTEM, SPARE_POINTS)


@pytest.mark.parametrize("seed", range(10))
def test_the_copy_is_always_whole_and_ends_with_the_same_marks(tmp_path: Path, seed: int) -> None:
    chance, folders = random.Random(seed), TwoFolders(tmp_path)
    for number in range(1, 40):
        folders.seal(number)
        if chance.random() < 0.3:
            folders.give(chance.randrange(1, 5))
        if chance.random() < 0.1:
            folders.sealer.checkpoint()
        if chance.random() < 0.2:
            folders.note_sent(chance.randrange(1, number + 1))
        if chance.random() < 0.1:
            folders.connect()
        folders.marks()  # raises where the copy has a hole
    folders.give()
    assert folders.marks() == dict(folders.sealer.marks("points"))
    assert folders.copied()[-1] == 39
    assert folders.give() == 0


def test_a_new_spare_gets_the_marks_and_only_what_the_gateway_has_not(tmp_path: Path) -> None:
    folders = TwoFolders(tmp_path)
    for number in range(1, 11):
        folders.seal(number)
    folders.sealer.checkpoint()
    folders.note_sent(8)
    folders.connect()
    folders.give()
    assert folders.copied() == [9, 10]
    assert folders.marks() == dict(folders.sealer.marks("points"))
    folders.note_sent(10)
    folders.copies.put_base(SYSTEM, (folders.spare / SYSTEM / "marks.json").read_bytes())
    assert folders.copied() == [10]


def test_what_the_peer_has_not_sent_is_adopted_once(tmp_path: Path) -> None:
    folders = TwoFolders(tmp_path)
    for number in range(1, 6):
        folders.seal(number)
    folders.give()
    folders.note_sent(3)
    assert (folders.copies.adopt(), folders.copies.adopt()) == (2, 0)
    assert sequences(folders.main / f"adopted_{SYSTEM}", SPARE_POINTS) == [4, 5]


def test_holes_of_history_are_kept_on_both_sides(tmp_path: Path) -> None:
    folders = TwoFolders(tmp_path)
    own, others = KeptHole("T1", 10, 10, 20), KeptHole("T2", 30, 35, 40)
    folders.seal(1)
    HoleStore(folders.spare / SYSTEM, "opcua_a.gaps_spare").write([others])
    (folders.main / SYSTEM).mkdir(parents=True)
    store = HoleStore(folders.main / SYSTEM, "opcua_a.gaps")
    store.write([own])
    folders.give()
    adopt_holes(folders.main, SYSTEM, "", "_spare")
    assert set(store.load()) == {own, others}


def test_of_both_marks_the_later_one_holds(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path, SYSTEM, KEY, SystemClock(), Pairing("", {"points": {"T0": 5, "T1": 10**19}}))
    asyncio.run(sealer.seal("points", minute_points(1), {"T0": 7, "T1": 8}))
    assert sealer.marks("points") == {"T0": 7, "T1": 10**19}


def test_segments_of_another_key_or_system_are_refused(tmp_path: Path) -> None:
    folders = TwoFolders(tmp_path)
    folders.seal(1)
    folders.give(1)
    parcel = folders.replication.next()
    assert parcel is not None
    size = parcel.header["manifest_size"]
    other = Copies(folders.main, [SYSTEM], "_spare", Ed25519PrivateKey.generate().public_key())
    with pytest.raises(SegmentError):
        other.put_segment(SYSTEM, SPARE_POINTS, 1, parcel.body[:size], parcel.body[size:])
    with pytest.raises(ValueError, match="the same servers"):
        folders.copies.put_segment("opcua_b", SPARE_POINTS, 1, b"", b"")
    assert folders.copied() == []
