"""Holes of tags whose server's clock went back: what is sealed is known, the rest is admitted, once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.collector.buffer import PointBuffer
from ingestion.collector.clock_back import SealedInstants, fill_behind, release_unread
from ingestion.collector.history import HistoryRange, HistoryStatusError
from ingestion.collector.intake import Intake
from ingestion.collector.points import NO_TICKS, Page
from ingestion.collector.points_sealing import PointsSealing
from ingestion.collector.sealing import Sealer
from ingestion.collector.status import Status
from protocols.clock import load_clock
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS
from protocols.segments import manifest_path, read_table, sequences
from tests.unit.collector.test_intake import row, take

TAGS = ["A", "B"]
SECOND = TICKS_PER_SECOND
T0 = UNIX_EPOCH_TICKS + 10**16
KEY = Ed25519PrivateKey.generate()
LATER = 1800  # within what a server may be ahead of us


class Reader:
    """History of each tag: seconds after T0."""

    def __init__(self, history: dict[int, set[int]], *, fails: bool = False) -> None:
        self.history, self.fails = history, fails
        self.asked: list[HistoryRange] = []

    async def read_many(self, ranges: list[HistoryRange], end: int) -> AsyncIterator[tuple[int, Page]]:
        self.asked += ranges
        for position, wanted in enumerate(ranges):
            if self.fails:
                wanted.error = HistoryStatusError("not now")
                continue
            tag = int(str(wanted.node_id))
            ticks = sorted(
                T0 + s * SECOND for s in self.history[tag] if wanted.start <= T0 + s * SECOND < end
            )
            for begin in range(0, len(ticks), 3):
                yield position, page_of(ticks[begin : begin + 3])


def page_of(ticks: list[int]) -> Page:
    count = len(ticks)
    ones = np.ones(count, np.bool_)
    return Page(
        np.array(ticks, np.int64), np.arange(count, dtype=float), ones, None,
        np.zeros(count, np.int64), np.full(count, NO_TICKS),
    )  # fmt: skip


class World:
    """A folder, a buffer, an intake: as much of a collection as is needed."""

    def __init__(self, root: Path, *, has_history: bool = True) -> None:
        self.root = root
        clock = load_clock(None)
        self.sealer = Sealer(root, "s", KEY, clock)
        self.buffer = PointBuffer(TAGS, self.sealer.marks("points"))
        sealing = PointsSealing(self.buffer, self.sealer, Status("s", "u"), every_s=1, rows=1000)
        self.sealed = SealedInstants(root, "s.points")
        self.parts: Any = SimpleNamespace(
            tag_ids=TAGS, buffer=self.buffer, sealing=sealing, sealed=self.sealed, now_ticks=lambda: T0
        )
        self.gaps: list[tuple[int, int, int, str]] = []
        self.back: list[tuple[int, int]] = []
        self.intake = Intake(
            self.buffer, [has_history] * 2, lambda _tag: None,
            lambda tag, start, end, reason: self.gaps.append((tag, start - T0, end - T0, reason)),
            lambda tag, _mark, ticks: self.back.append((tag, (ticks - T0) // SECOND)),
        )  # fmt: skip

    async def seal(self, tag: int, seconds: list[int]) -> None:
        self.buffer.admit_page(tag, page_of([T0 + second * SECOND for second in seconds]), 0)
        await self.parts.sealing.seal()

    async def fill(self, reader: Reader, *tags: int) -> dict[int, Any]:
        nodes: Any = {0: "0", 1: "1"}
        found = await fill_behind(tags, cast("Any", reader), nodes, self.parts, self.intake)
        await self.parts.sealing.seal()
        return dict(found)

    def points(self, tag: int) -> list[int]:
        """Everything sealed of a tag, seconds after T0."""
        found = []
        for number in sequences(self.root, "s.points"):
            table = read_table(manifest_path(self.root, "s.points", number))
            micro = table["source_at_utc"].cast("int64").to_pylist()
            ids = table["tag_id"].to_pylist()
            found += [
                (UNIX_EPOCH_TICKS + 10 * us - T0) // SECOND
                for us, tag_id in zip(micro, ids, strict=True)
                if tag_id == TAGS[tag]
            ]
        return found


def live(second: int, tag: int = 0) -> Any:
    return row(second * SECOND, tag)


def test_instants_of_a_window_are_read_per_tag_and_manifests_once(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(tmp_path)
        await world.seal(0, [1, 2, 3])
        await world.seal(1, [2])
        await world.seal(0, [50, 60])
        found = world.sealed.read(["A", "B"], T0, T0 + 10 * SECOND)
        assert {tag: {(t - T0) // SECOND for t in of} for tag, of in found.items()} == {
            "A": {1, 2, 3},
            "B": {2},
        }
        assert world.sealed.read(["A"], T0 + 50 * SECOND, T0 + 50 * SECOND)["A"] == {
            T0 + 50 * SECOND, T0 + 60 * SECOND,
        }  # fmt: skip
        assert world.sealed.read(["A"], T0 + 100 * SECOND, T0 + 200 * SECOND) == {"A": set()}
        assert world.sealed.horizon() == 0
        for path in tmp_path.rglob("*0001*"):
            path.unlink()
        assert world.sealed.horizon() == T0 + 2 * SECOND

    asyncio.run(scene())


@settings(max_examples=25, deadline=None)
@given(
    sealed=st.sets(st.integers(0, 400)),
    history=st.sets(st.integers(0, 400)),
    lived=st.lists(st.integers(300, 400), min_size=1, max_size=6, unique=True).map(sorted),
)
@example(sealed={400}, history=set(), lived=[300, 301, 400])  # in a segment that begins after the hole
def test_history_and_held_points_behind_the_mark_are_admitted_once_and_nothing_else(
    sealed: set[int], history: set[int], lived: list[int]
) -> None:
    async def scene() -> None:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            await world.seal(0, [*sorted(sealed), LATER])  # then the clock goes back
            world.intake.hold(0)
            take(world.intake, *(live(second) for second in lived))
            assert world.intake.went_back(0)
            assert await world.fill(Reader({0: history}), 0) == {0: None}
            assert not world.intake.is_held(0)
            due = sealed | {LATER} | set(lived) | {second for second in history if second < lived[0]}
            found = world.points(0)
            assert set(found) == due
            assert len(found) == len(due)
            take(world.intake, live(lived[-1]), live(lived[-1] + 1), live(LATER + 1))
            await world.parts.sealing.seal()
            assert sorted(set(world.points(0)) - due) == sorted({lived[-1] + 1, LATER + 1} - due)

    asyncio.run(scene())


def test_a_history_that_fails_keeps_the_tag_held_and_stops_no_other(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(tmp_path)
        await world.seal(0, [LATER])
        world.intake.hold(0)
        take(world.intake, live(300))
        errors = await world.fill(Reader({}, fails=True), 0)
        assert isinstance(errors[0], HistoryStatusError)
        assert world.intake.is_held(0)
        assert await world.fill(Reader({0: {299}}), 0) == {0: None}
        assert sorted(world.points(0)) == [299, 300, LATER]
        assert await fill_behind([], cast("Any", None), {}, world.parts, world.intake) == {}

    asyncio.run(scene())


def test_nothing_is_read_from_before_the_horizon(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(tmp_path)
        await world.seal(0, [10])
        await world.seal(0, [280, LATER])
        for path in tmp_path.rglob("*0001*"):
            path.unlink()  # deleted after its retention: nobody knows what it held
        world.intake.hold(0)
        take(world.intake, live(300))
        reader = Reader({0: {10, 279, 281}})
        await world.fill(reader, 0)
        assert [asked.start for asked in reader.asked] == [T0 + 280 * SECOND]
        assert sorted(world.points(0)) == [280, 281, 300, LATER]

    asyncio.run(scene())


def test_what_came_anew_while_history_was_read_keeps_the_tag_held(tmp_path: Path) -> None:
    class Overflowing(Reader):
        async def read_many(self, ranges: list[HistoryRange], end: int) -> AsyncIterator[tuple[int, Page]]:
            world.intake.hold(0)
            async for found in super().read_many(ranges, end):
                yield found

    world = World(tmp_path)

    async def scene() -> None:
        await world.seal(0, [LATER])
        world.intake.hold(0)
        take(world.intake, live(300))
        await world.fill(Overflowing({0: {298}}), 0)
        assert world.intake.is_held(0)

    asyncio.run(scene())


@settings(max_examples=25, deadline=None)
@given(
    sealed=st.sets(st.integers(0, 100)),
    lived=st.lists(st.integers(0, 100), min_size=1, max_size=8, unique=True),
)
def test_without_history_only_the_first_of_a_subscription_can_be_a_repetition(
    sealed: set[int], lived: list[int]
) -> None:
    async def scene() -> None:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), has_history=False)
            await world.seal(0, [*sorted(sealed), LATER])
            world.intake.miss(0, "not_watched")
            take(world.intake, *(live(second) for second in lived))
            assert world.intake.is_held(0)
            await release_unread([0], world.parts, world.intake)
            await world.parts.sealing.seal()
            repeated = lived[0] in sealed
            assert sorted(world.points(0)) == sorted([*sealed, LATER, *lived[repeated:]])
            assert world.back[0] == (0, lived[0])
            new = lived[repeated:]
            assert world.gaps == [(0, second * SECOND, LATER * SECOND, "not_watched") for second in new[:1]]
            take(world.intake, live(LATER + 5))
            assert not world.intake.is_held(0)

    asyncio.run(scene())


def test_what_is_held_without_history_survives_a_new_subscription_and_a_refused_one(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(tmp_path, has_history=False)
        await world.seal(0, [LATER])
        await world.seal(1, [LATER])
        take(world.intake, live(30), live(31), live(40, tag=1))
        world.intake.abandon()
        asked: list[int] = []
        following = Intake(world.buffer, [False] * 2, asked.append)
        following.take_over(world.intake)
        assert sorted(asked) == [0, 1]
        following.forget(1)
        take(following, live(32))
        await release_unread([0], world.parts, following)
        await world.parts.sealing.seal()
        assert sorted(world.points(0)) == [30, 31, 32, LATER]
        assert sorted(world.points(1)) == [40, LATER]

    asyncio.run(scene())
