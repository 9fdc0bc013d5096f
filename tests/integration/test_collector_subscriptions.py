"""Subscriptions that a killed collector left, limits on them, and what a server says when it ends one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asyncua import ua

from tests.fakes import opcua_history
from tests.fakes.collector_sites import PROGRAM
from tests.fakes.scripted_server import Script, Subscription, serve
from tests.fakes.scripted_site import SYSTEM, Site, collecting, make_site, new_script, until

TAGS = ("T_0", "T_1", "T_2")
BESIDE = "session-0.subscriptions.json"


def subscribed(script: Script) -> int:
    """How many tags are monitored."""
    return sum(len(subscription.handles) for subscription in script.subscriptions.values())


async def live_and_die(site: Site, script: Script) -> None:
    """A collector that subscribes everything and is killed."""
    before = script.calls["CreateMonitoredItems"]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(site.config)])
    try:
        await until(
            lambda: script.calls["CreateMonitoredItems"] >= before + 2 and subscribed(script) == len(TAGS), 60
        )
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


@pytest.mark.parametrize(
    ("kills", "transfer", "keeps_session"),
    [
        (2, True, True),
        (1, True, False),
        pytest.param(20, True, True, marks=[pytest.mark.full, pytest.mark.timeout(600)]),
        pytest.param(20, True, False, marks=[pytest.mark.full, pytest.mark.timeout(600)]),
        pytest.param(5, None, False, marks=[pytest.mark.full, pytest.mark.timeout(600)]),
    ],
)
def test_kills_leave_one_set_of_subscriptions_at_a_server_with_room_for_no_more(
    tmp_path: Path, kills: int, transfer: bool | None, keeps_session: bool
) -> None:
    # Room for two publishing groups; a third of its own would be refused.
    script = new_script(max_subscriptions=2, transfer=transfer)
    site = make_site(tmp_path, script, TAGS, columns={"T_2": ",500,"})

    async def scenario() -> None:
        async with serve(script, site.ports[0]):
            for _ in range(kills):
                await live_and_die(site, script)
                assert len(script.subscriptions) == 2
                if not keeps_session:
                    script.forget_sessions()
            await live_and_die(site, script)
        assert len(script.subscriptions) == 2
        assert script.calls["CreateSubscription"] == 2 * (kills + 1)  # none was refused

    asyncio.run(scenario())
    kept = json.loads((tmp_path / "var" / "collector" / SYSTEM / BESIDE).read_text())
    assert set(kept["subscription_ids"]) == set(script.subscriptions)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_twenty_kills_leave_one_subscription_at_a_server_that_gives_one(tmp_path: Path) -> None:
    source = opcua_history.source_around_now(("A",), history_s=1, live_s=600)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source)

    async def scenario() -> None:
        async with opcua_history.serve(tmp_path, port, source) as history:
            assert history.server is not None
            inside = history.server.iserver
            inside.max_subscriptions = 1
            kept = inside.subscription_service.subscriptions
            former: set[int] = set()

            def is_renewed() -> bool:
                return len(kept) == 1 and not former & set(kept)

            for _ in range(20):
                process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(config)])
                try:
                    await until(is_renewed, 30)
                finally:
                    process.kill()
                    await asyncio.to_thread(process.wait)
                former |= set(kept)

    asyncio.run(scenario())
    status = json.loads((tmp_path / "var" / "collector" / opcua_history.SYSTEM / "status.json").read_text())
    assert "BadTooManySubscriptions" not in str(status["last_error"])


def test_a_restart_that_moves_the_namespaces_is_followed_by_their_names(tmp_path: Path) -> None:
    script = new_script()
    site = make_site(tmp_path, script, TAGS)

    async def scenario() -> None:
        async with collecting(site):
            await script.ready()
            await script.publish(script.message({tag: [1] for tag in TAGS}, 1))
            await site.complete(TAGS)
            script.namespaces.insert(1, "urn:somebody:else")
            script.started = datetime.now(UTC)
            script.forget_sessions()
            script.subscriptions.clear()
            script.drop_connections()
            await until(lambda: subscribed(script) == len(TAGS))
            indices = {item.ItemToMonitor.NodeId.NamespaceIndex for item in script.items_asked[-len(TAGS) :]}
            assert indices == {2}
            for tag in TAGS:
                script.produce(tag, 2)
            await script.publish(script.message({tag: [3] for tag in TAGS}, 1))
            await site.complete(TAGS)

    asyncio.run(scenario())
    assert not site.status()["failed_tags"]


@pytest.mark.parametrize("content", ["restarted", "unknown start", "damaged"])
def test_subscriptions_that_may_be_another_clients_are_left_alone(tmp_path: Path, content: str) -> None:
    script = new_script()
    script.subscriptions[77] = Subscription(77)
    script.next_subscription = 100
    site = make_site(tmp_path, script, TAGS)
    folder = tmp_path / "var" / "collector" / SYSTEM
    folder.mkdir(parents=True)
    kept = {"format_version": 1, "server_started": "1999-01-01", "subscription_ids": [77]}
    if content == "unknown start":
        kept["server_started"], script.started = None, None
    (folder / BESIDE).write_text("{" if content == "damaged" else json.dumps(kept))

    async def scenario() -> None:
        async with collecting(site):
            await until(lambda: subscribed(script) == len(TAGS))
            assert 77 in script.subscriptions
            assert not script.calls["TransferSubscriptions"]

    asyncio.run(scenario())


def test_a_server_that_gives_too_few_subscriptions_has_groups_share_them(tmp_path: Path) -> None:
    script = new_script(max_subscriptions=1)
    site = make_site(tmp_path, script, TAGS, columns={"T_2": ",500,"})

    async def scenario() -> None:
        async with collecting(site):
            await until(lambda: subscribed(script) == len(TAGS))
            await script.publish(script.message({tag: [1] for tag in TAGS}, 1))
            await site.complete(TAGS)
            await until(lambda: "BadTooManySubscriptions" in site.status()["tag_notes"].get("T_2", ""))

    asyncio.run(scenario())
    assert not site.status()["failed_tags"]


def test_a_server_with_no_room_for_a_subscription_is_asked_again(tmp_path: Path) -> None:
    script = new_script(max_subscriptions=0)
    site = make_site(tmp_path, script, TAGS)

    async def scenario() -> None:
        async with collecting(site):
            await until(lambda: "BadTooManySubscriptions" in str(site.status().get("last_error")))
            script.max_subscriptions = 1
            await until(lambda: subscribed(script) == len(TAGS))
            await script.publish(script.message({tag: [1] for tag in TAGS}, 1))
            await site.complete(TAGS)

    asyncio.run(scenario())


def test_a_server_full_of_items_or_rights_denied_fails_those_tags_alone_until_it_gives_in(
    tmp_path: Path,
) -> None:
    script = new_script()
    script.deny["T_1"] = deque([ua.StatusCodes.BadUserAccessDenied] * 1000)
    # Refused in the first subscription and, alone in a second one, by the server as a whole.
    script.deny["T_2"] = deque([ua.StatusCodes.BadTooManyMonitoredItems] * 1000)
    site = make_site(tmp_path, script, TAGS)

    async def scenario() -> None:
        async with collecting(site):
            await until(lambda: set(site.status().get("failed_tags", {})) == {"T_1", "T_2"})
            failed = site.status()["failed_tags"]
            assert failed["T_1"]["subscription"] == "BadUserAccessDenied"
            assert failed["T_2"]["subscription"] == "BadTooManyMonitoredItems"
            await script.publish(script.message({"T_0": [1]}, 1))
            await site.complete(("T_0",))
            script.deny.clear()
            await until(lambda: subscribed(script) == len(TAGS))
            await until(lambda: not site.status()["failed_tags"])

    asyncio.run(scenario())


def test_a_subscription_that_the_server_ends_is_made_anew_and_its_status_bits_are_kept(
    tmp_path: Path,
) -> None:
    script = new_script()
    site = make_site(tmp_path, script, TAGS)
    clamped = 0x0030_0000  # GoodClamped
    limit_high = clamped | 0x0000_0400 | 0x0200  # with the limit bits of a data value

    async def scenario() -> None:
        async with collecting(site):
            await script.ready()
            await script.publish(script.message({tag: [1] for tag in TAGS}, 1, status=clamped))
            await script.publish(script.message({tag: [2] for tag in TAGS}, 2, status=limit_high))
            await site.complete(TAGS)
            first = script.subscription.number
            ended = script.message({}, 3)
            ended.NotificationData = [
                ua.StatusChangeNotification(Status=ua.StatusCode(ua.StatusCodes.BadTimeout))
            ]
            for tag in TAGS:
                script.produce(tag, 3)
            script.resume = False
            script.transfer = False
            await script.publish(ended)
            await until(lambda: any(number != first for number in script.subscriptions))
            script.subscriptions.pop(first, None)
            await script.ready()
            await script.publish(script.message({tag: [4] for tag in TAGS}, 1))
            await site.complete(TAGS)

    asyncio.run(scenario())
    statuses = {row["status_code"] for row in site.rows("points")}
    assert {clamped, limit_high} < statuses
