"""Messages lost, doubled, overtaken and numbered anew by a scripted server: complete, or visibly missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from asyncua import ua

from ingestion.collector.sequences import LAST
from tests.fakes.scripted_server import Script, Subscription
from tests.fakes.scripted_site import Site, collecting, make_site, new_script, until

TAGS = ("T_0", "T_1")


def play(
    root: Path, scene: Callable[[Site, Script], Awaitable[None]], **changes: object
) -> Site:  # fmt: skip
    """Run a collector while a scene is played to it."""
    site = make_site(root, new_script(), TAGS, **changes)  # type: ignore[arg-type]

    async def run() -> None:
        async with collecting(site):
            await site.script.ready()
            await scene(site, site.script)

    asyncio.run(run())
    return site


async def send(script: Script, number: int, *, keep: bool = False, lose: bool = False) -> None:
    """Message `number` holds sample `number` of both tags; a lost one never leaves the server."""
    message = script.message({tag: [number] for tag in script.subscription.handles.values()}, number)
    if keep:
        script.keep(message)
    if not lose:
        await script.publish(message)


def test_messages_in_order_are_acknowledged_once_they_are_sealed(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        for number in (1, 2, 3):
            await send(script, number)
        await site.complete(TAGS)
        await send(script, 4)
        await until(lambda: script.subscription.acknowledged[:3] == [1, 2, 3])

    site = play(tmp_path, scene)
    assert site.status()["messages"]["lost"] == 0


def test_a_missing_message_is_asked_for_again(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await send(script, 2, keep=True, lose=True)
        await send(script, 3)
        await site.complete(TAGS)
        assert script.calls["republished"] == 1
        assert not script.calls["HistoryRead"]

    play(tmp_path, scene)


def test_what_cannot_be_sent_again_comes_from_history_before_what_follows(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await site.complete(TAGS)
        await send(script, 2, lose=True)
        await send(script, 3)
        await site.complete(TAGS)

    site = play(tmp_path, scene)
    assert site.status()["messages"]["lost"] == 1
    assert not site.gaps("notifications_lost")


def test_what_neither_republish_nor_history_has_is_a_gap_of_each_tag(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await until(lambda: len(site.points()) == 2)
        await send(script, 2, lose=True)
        await send(script, 3)
        await until(lambda: len(site.gaps("notifications_lost")) == 2)

    site = play(tmp_path, scene, without_history=TAGS)
    gaps = site.gaps("notifications_lost")
    assert {row["tag_id"] for row in gaps} == set(TAGS)
    assert {(row["until_at_utc"] - row["from_at_utc"]).total_seconds() for row in gaps} == {2.0}
    assert all(row["is_open"] for row in gaps)


def test_answers_that_overtake_each_other_are_put_in_order(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        messages = [script.message({tag: [number] for tag in TAGS}, number) for number in (1, 2, 3)]
        for position in (1, 2, 0):
            await script.publish(messages[position])
        await site.complete(TAGS)
        assert not script.calls["Republish"]

    site = play(tmp_path, scene)
    assert site.status()["messages"]["reordered"] == 2
    assert site.status()["messages"]["lost"] == 0


def test_the_very_first_message_is_missed(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1, keep=True, lose=True)
        await send(script, 2)
        await site.complete(TAGS)

    play(tmp_path, scene)


def test_a_keep_alive_shows_that_the_last_message_is_missing(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await script.publish(script.message({}, 2))
        await send(script, 2, keep=True, lose=True)
        await script.publish(script.message({}, 3))
        await site.complete(TAGS)
        assert script.calls["republished"] == 1

    play(tmp_path, scene)


def test_numbers_go_from_the_largest_to_one(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        for number, sample in ((LAST - 1, 2), (LAST, 3), (1, 4), (2, 5)):
            await script.publish(script.message({tag: [sample] for tag in TAGS}, number))
        await site.complete(TAGS)
        assert not script.calls["Republish"]

    site = play(tmp_path, scene)
    assert site.status()["messages"]["lost"] == 1  # the leap to the end, not the step from there to 1


def test_a_server_that_counts_anew_is_a_loss_that_history_closes(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        for number in (1, 2, 3, 4):
            await send(script, number)
        await site.complete(TAGS)
        for tag in TAGS:
            script.produce(tag, 5)  # in a message that never came
        script.subscription.sent.clear()
        await script.publish(script.message({tag: [6] for tag in TAGS}, LAST // 2))
        await site.complete(TAGS)

    site = play(tmp_path, scene)
    assert site.status()["messages"]["lost"] == 1


def test_a_server_that_counts_from_one_again_loses_nothing(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        for number in (1, 2, 3):
            await send(script, number)
        await site.complete(TAGS)
        for number, sample in ((1, 5), (2, 6), (3, 7)):
            await script.publish(script.message({tag: [sample] for tag in TAGS}, number))
        for tag in TAGS:
            script.produce(tag, 4)
        await site.complete(TAGS)

    assert play(tmp_path, scene).status()["messages"]["lost"] == 1


def test_a_message_sent_twice_is_taken_once(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        message = script.message({tag: [1] for tag in TAGS}, 1)
        for _ in range(3):
            await script.publish(message)
        await send(script, 2)
        await site.complete(TAGS)

    assert play(tmp_path, scene).status()["messages"]["lost"] == 0


def test_a_message_that_cannot_be_read_is_asked_for_again(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        torn = script.message({tag: [2] for tag in TAGS}, 2)
        script.keep(torn)
        await script.publish(torn, patch=lambda body: body[:-30])
        await send(script, 3)
        await site.complete(TAGS)

    site = play(tmp_path, scene)
    assert site.status()["messages"]["malformed"] == 1
    assert site.status()["messages"]["republished"] == 1


def test_an_overflowing_queue_is_read_from_history_or_told_as_a_gap(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await until(lambda: len(site.points()) == 2)
        script.produce("T_0", 2)
        await script.publish(script.message({tag: [3] for tag in TAGS}, 2, status=0x480))
        await until(lambda: len(site.points()) == 5)
        await until(lambda: bool(site.gaps("queue_overflow")))

    site = play(tmp_path, scene, without_history=("T_1",))
    assert [row["tag_id"] for row in site.gaps("queue_overflow")] == ["T_1"]


def test_a_session_is_resumed_on_a_new_connection_and_nothing_is_read_from_history(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await site.complete(TAGS)
        script.drop_connections()
        for number in (2, 3):
            await send(script, number, keep=True, lose=True)
        await script.ready()
        await send(script, 4)
        await site.complete(TAGS)
        assert script.calls["resumed"] == 1
        assert not script.calls["HistoryRead"]

    site = play(tmp_path, scene, without_history=("T_1",))
    assert site.status()["took_up"] == {"new": 1, "resumed": 1}
    assert not site.gaps("not_watched", "notifications_lost")


def test_subscriptions_are_taken_over_into_a_new_session(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await site.complete(TAGS)
        script.forget_sessions()
        script.drop_connections()
        for number in (2, 3):
            await send(script, number, keep=True, lose=True)
        await site.complete(TAGS)
        assert script.calls["TransferSubscriptions"] == 1
        assert not script.calls["HistoryRead"]

    site = play(tmp_path, scene, without_history=("T_1",))
    assert site.status()["took_up"] == {"new": 1, "transferred": 1}


def test_a_server_that_hands_nothing_over_is_subscribed_anew_and_history_closes_the_hole(
    tmp_path: Path,
) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await until(lambda: len(site.points()) == 2)
        script.transfer = None
        script.forget_sessions()
        script.drop_connections()
        for tag in TAGS:
            script.produce(tag, 2)
        script.subscriptions.clear()
        await script.ready()
        await script.publish(script.message({tag: [3] for tag in TAGS}, 1))
        await site.complete(("T_0",))
        await until(lambda: bool(site.gaps("not_watched")))

    site = play(tmp_path, scene, without_history=("T_1",))
    assert site.status()["took_up"] == {"new": 2}
    (gap,) = site.gaps("not_watched")
    assert gap["tag_id"] == "T_1"
    assert (gap["until_at_utc"] - gap["from_at_utc"]).total_seconds() == 2.0


def test_a_server_that_takes_few_publish_requests_gets_few(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        for number in range(1, 6):
            await send(script, number)
        await site.complete(TAGS)

    site = make_site(tmp_path, new_script(publish_limit=1), TAGS)

    async def run() -> None:
        async with collecting(site):
            await site.script.ready()
            await scene(site, site.script)

    asyncio.run(run())
    assert site.status()["messages"]["lost"] == 0


def test_passing_faults_of_publish_are_borne_with(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        script.refuse_publish.extend([ua.StatusCodes.BadTimeout, ua.StatusCodes.BadInternalError])
        for number in range(1, 6):
            await send(script, number)
        await site.complete(TAGS)

    site = play(tmp_path, scene)
    assert site.status()["connections"] == 1


def test_a_servers_clock_that_jumps_is_noted_and_its_times_are_kept(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        for number in (700, 701):
            await send(script, number - 699)
        hour = 3600 * 10_000_000
        script.server_shift_ticks = -hour
        script.start_ticks -= hour
        await script.publish(script.message({tag: [703] for tag in TAGS}, 3))
        await script.publish(script.message({tag: [704] for tag in TAGS}, 4))
        await until(lambda: len(site.points()) == 8)
        await until(lambda: bool(site.gaps("server_clock_jump")))

    site = play(tmp_path, scene)
    found = site.points()
    assert len(found) == len(set(found)) == 8
    assert not any(row["is_open"] for row in site.gaps("server_clock_jump"))


@pytest.mark.parametrize("is_repeated", [False, True], ids=["new values", "a known one first"])
def test_a_clock_that_went_back_over_a_reconnect_loses_nothing_of_tags_without_history(
    tmp_path: Path, is_repeated: bool
) -> None:
    hour = 3600

    async def scene(site: Site, script: Script) -> None:
        script.start_ticks -= 2 * hour * 10_000_000
        for number in (1, 2):
            message = script.message({tag: [number, hour + number] for tag in TAGS}, number)
            await script.publish(message)
        await until(lambda: len(site.points()) == 8)
        script.forget_sessions()
        script.subscriptions.clear()
        script.drop_connections()
        await script.ready()
        # A subscription begins with the present value, which may be known.
        numbers = [2, 5, 6] if is_repeated else [4, 5, 6]
        await script.publish(script.message(dict.fromkeys(TAGS, numbers), 1))
        await script.publish(script.message({tag: [7, hour + 9] for tag in TAGS}, 2))
        await site.complete(TAGS)
        await until(lambda: len(site.gaps("not_watched")) == 2)
        await until(lambda: bool(site.gaps("server_clock_jump")))

    site = play(tmp_path, scene, without_history=TAGS)
    assert {row["tag_id"] for row in site.gaps("not_watched")} == set(TAGS)


def test_a_namespace_table_that_changes_under_a_session_has_everything_subscribed_anew(
    tmp_path: Path,
) -> None:
    async def scene(site: Site, script: Script) -> None:
        await send(script, 1)
        await site.complete(TAGS)
        first = script.subscription.number
        script.namespaces.insert(1, "urn:somebody:else")
        await until(lambda: bool(script.subscriptions) and script.subscription.number != first)
        await script.ready()
        assert {item.ItemToMonitor.NodeId.NamespaceIndex for item in script.items_asked[-2:]} == {2}
        for tag in TAGS:
            script.produce(tag, 2)
        await script.publish(script.message({tag: [3] for tag in TAGS}, 1))
        await site.complete(TAGS)

    play(tmp_path, scene)


def test_what_a_killed_collector_left_in_the_session_is_deleted_by_the_next(tmp_path: Path) -> None:
    async def scene(site: Site, script: Script) -> None:
        left = Subscription(77)
        script.subscriptions[77] = left
        await send(script, 1)
        at = script.message({}, 1)
        await script.publish(at, left)
        await until(lambda: 77 not in script.subscriptions)
        await send(script, 2)
        await site.complete(TAGS)

    assert play(tmp_path, scene).status()["messages"]["lost"] == 0
