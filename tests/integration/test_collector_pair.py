"""Two collectors of one server: who collects, who takes over, and that the lake holds every point once."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from protocols.opcua_time import from_ticks
from tests.fakes import opcua_history
from tests.fakes.collector_pair import PairSite


def test_the_spare_takes_over_from_a_killed_collector_and_the_lake_holds_every_point_once(
    tmp_path: Path,
) -> None:
    asyncio.run(takeover(tmp_path))


async def takeover(root: Path) -> None:
    port = opcua_history.free_port()
    source = opcua_history.source_around_now(("A", "B", "C.TEXT", "D"), history_s=20, live_s=14)
    site = PairSite(root, port, source, {"without_history": ("D",)})
    await site.plug()
    try:
        async with opcua_history.serve(
            site.main.site, port, source, behaviours={"D": "refuses"}, starts_live_at=0
        ):
            site.main.start()
            site.spare.start()
            await site.until(
                lambda: site.main.is_active and site.main.standing()["peer_has_all"], "main active"
            )
            await site.until(lambda: site.spare.standing().get("peer_is_heard", False), "spare hears")
            assert not site.spare.is_active
            await asyncio.sleep(1)
            site.main.signal(signal.SIGKILL)
            await site.until(lambda: site.spare.is_active, "spare active")
            await site.until(lambda: "no_redundancy" in site.spare.standing()["alarms"], "alarm")
            # What comes back stands by: it does not take the work back.
            site.main.start()
            await site.until(lambda: site.main.standing()["peer_is_heard"], "main hears again")
            await site.until_complete()
            assert site.spare.is_active
            assert not site.main.is_active
            await site.spare.stop()
            await site.main.stop()
        site.land()
        site.require_each_once(tags=("A", "B", "C.TEXT"))
        (note,) = site.gaps("collector_took_over")
        assert "collector_spare" in note["detail"]
        # Without history, what nobody saw is one gap row that says so, and nothing outside it is missing.
        (gap,) = [gap for gap in site.gaps("not_watched") if gap["tag_id"] == "D"]
        assert gap["is_open"]
        seen = {ticks for tag, ticks, *_ in site.points() if tag == "D"}
        lost = {ticks for tag, ticks, *_ in source.everything() if tag == "D" and ticks > min(seen)} - seen
        assert lost
        assert all(gap["from_at_utc"] < from_ticks(ticks) < gap["until_at_utc"] for ticks in lost)
    finally:
        await site.end()
