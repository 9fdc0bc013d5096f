"""Holes of history over restarts and kills: kept, filled once, closed by a row; older states are opened."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from protocols import opcua_time
from tests.fakes.fault_rig import ROOT
from tests.fakes.kill_at_hole import STEPS
from tests.fakes.scripted_server import Script, serve
from tests.fakes.scripted_site import SYSTEM, Site, collecting, until
from tests.integration.test_collector_servers import (
    PRODUCED,
    TAGS,
    script_with_history,
    send_to_all,
    site_with_history,
)

SICK = "T_3"
GIVES_UP_SOON = {"give_up_tries": 2, "give_up_s": 0.05, "settle_s": 0.3}


def make_sick(script: Script) -> None:
    script.bad_history[SICK] = deque([ua.StatusCodes.BadUnexpectedError] * 100_000)


def holes(site: Site) -> list[dict[str, Any]]:
    path = site.root / "var" / "collector" / SYSTEM / "holes.json"
    return list(json.loads(path.read_text())["holes"]) if path.exists() else []


def last_rows(site: Site) -> dict[Any, bool]:
    """Whether each gap stands open: the last row of a tag and start holds."""
    return {
        row["from_at_utc"]: row["is_open"] for row in site.gaps("history_failed") if row["tag_id"] == SICK
    }


async def open_a_hole(site: Site, script: Script) -> None:
    """Live values go past a history that fails."""
    await script.ready()
    await send_to_all(script, PRODUCED)
    await until(lambda: (SICK, *script.sample(SICK, PRODUCED)) in site.points())


async def whole(site: Site) -> None:
    await site.complete(TAGS, 30)
    await until(lambda: bool(last_rows(site)) and not any(last_rows(site).values()))
    await until(lambda: not holes(site))


@pytest.mark.parametrize("state", ["kept", "older", "damaged"])
def test_a_hole_is_filled_after_a_restart_and_closed(tmp_path: Path, state: str) -> None:
    script = script_with_history()
    make_sick(script)
    site = site_with_history(tmp_path, script, history=GIVES_UP_SOON)
    path = tmp_path / "var" / "collector" / SYSTEM / "holes.json"

    async def scenario() -> None:
        async with collecting(site):
            await open_a_hole(site, script)
            await until(lambda: bool(last_rows(site)))
        assert [hole["tag_id"] for hole in holes(site)] == [SICK]
        if state == "older":
            path.unlink()  # a version before it wrote none
        elif state == "damaged":
            path.write_text(path.read_text()[:30])
        script.bad_history.clear()
        async with collecting(site):
            await script.ready()
            await send_to_all(script, PRODUCED + 1)
            await whole(site)

    asyncio.run(scenario())
    assert not site.status()["failed_tags"]
    assert path.with_suffix(".damaged").exists() is (state == "damaged")


def test_a_hole_that_goes_on_failing_after_a_restart_stays_open_and_kept(tmp_path: Path) -> None:
    script = script_with_history()
    make_sick(script)
    site = site_with_history(tmp_path, script, history=GIVES_UP_SOON)

    async def scenario() -> None:
        async with collecting(site):
            await open_a_hole(site, script)
        asked = script.calls[f"history {SICK}"]
        (kept,) = holes(site)
        async with collecting(site):
            await until(lambda: script.calls[f"history {SICK}"] > asked + 2)
            await until(lambda: "history" in site.status()["failed_tags"].get(SICK, {}))
            assert kept in holes(site)
            assert all(last_rows(site).values())

    asyncio.run(scenario())


def test_a_failing_history_without_live_values_is_told_and_loses_nothing_once_they_come(
    tmp_path: Path,
) -> None:
    script = script_with_history()
    make_sick(script)
    site = site_with_history(tmp_path, script, history=GIVES_UP_SOON)

    async def scenario() -> None:
        async with collecting(site):
            await until(lambda: any(last_rows(site).values()))
            assert not [point for point in site.points() if point[0] == SICK]
            script.bad_history.clear()
            await send_to_all(script, PRODUCED)
            await whole(site)

    asyncio.run(scenario())


@pytest.mark.full
def test_a_server_that_drops_the_connection_at_every_read_of_a_history_is_not_asked_for_ever(
    tmp_path: Path,
) -> None:
    script = script_with_history()
    is_sick = [True]
    site = site_with_history(tmp_path, script, history={**GIVES_UP_SOON, "concurrency": 1})

    def drop(_count: int) -> None:
        if is_sick[0]:
            script.drop_connections()

    script.history_fault = drop

    async def go_on_producing() -> None:
        sample = PRODUCED
        while True:
            await script.ready()
            message = script.message({tag: [sample] for tag in TAGS}, script.subscription.next_number)
            script.keep(message)  # sent again where the connection was cut under it
            script.subscription.next_number += 1
            sample += 1
            await script.publish(message)
            await asyncio.sleep(0.2)

    async def scenario() -> None:
        async with collecting(site):
            producing = asyncio.create_task(go_on_producing())
            await until(lambda: {point[0] for point in site.points()} == set(TAGS), 60)
            assert {hole["tag_id"] for hole in holes(site)} == set(TAGS)
            producing.cancel()
            is_sick[0] = False
            await site.complete(TAGS, 30)
            await until(lambda: not holes(site))

    asyncio.run(scenario())


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("after keeping", "before keeping"),
        *(
            pytest.param(opening, closing, marks=pytest.mark.full)
            for opening in STEPS[:4]
            for closing in STEPS
            if (opening, closing) != ("after keeping", "before keeping")
        ),
    ],
)
def test_kills_between_the_steps_lose_and_double_nothing_and_leave_no_gap_open(
    tmp_path: Path, opening: str, closing: str
) -> None:
    """Killed while a hole is opened, then while it is closed, then left to live."""
    opcua_time.install()  # the server here sends 100 ns before any collector of this process does
    script = script_with_history()
    make_sick(script)
    site = site_with_history(tmp_path, script, history=GIVES_UP_SOON)

    async def send_once_ready(sample: int) -> None:
        await script.ready()
        await send_to_all(script, sample)

    async def live_until_killed(step: str, sample: int) -> None:
        command = [sys.executable, "-m", "tests.fakes.kill_at_hole", step, str(site.config)]
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            # Some steps come before anything is subscribed, or before a live value.
            sending = asyncio.create_task(send_once_ready(sample))
            code = await asyncio.to_thread(process.wait, 60)
            sending.cancel()
        finally:
            process.kill()
        assert code == -signal.SIGKILL, f"{step}: ended with {code} before it"
        script.requests.clear()
        script.subscriptions.clear()

    async def scenario() -> None:
        async with serve(script, site.ports[0]):
            await live_until_killed(opening, PRODUCED)
        async with collecting(site):  # a hole that a kill came before is opened now
            await open_a_hole(site, script)
            await until(lambda: bool(holes(site)))
        script.bad_history.clear()
        async with serve(script, site.ports[0]):
            await live_until_killed(closing, PRODUCED + 1)
        async with collecting(site):
            await script.ready()
            await send_to_all(script, PRODUCED + 2)
            await whole(site)

    asyncio.run(scenario())
