"""Two collectors of one server: who collects, who takes over, and that the lake holds every point once."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from ingestion.collector.standby.handing_over import hand_over
from protocols.opcua_time import from_ticks
from tests.fakes import opcua_history
from tests.fakes.collector_pair import PairSite, free_port


def test_the_spare_takes_over_from_a_killed_collector_and_hands_back_by_order(
    tmp_path: Path,
) -> None:
    asyncio.run(takeover(tmp_path))


async def takeover(root: Path) -> None:
    port = free_port()
    source = opcua_history.source_around_now(("A", "B", "C.TEXT", "D"), history_s=20, live_s=300)
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
            await site.until(lambda: site.spare.standing()["peer_has_all"], "the main has everything")
            assert site.spare.is_active
            assert not site.main.is_active
            found = await asyncio.to_thread(hand_over, site.spare.config)
            assert (found["is_active"], found["peer"]["collector_id"]) == (False, "collector_main")
            await site.until_complete()
            await site.spare.stop()
            await site.main.stop()
        site.land()
        site.require_each_once(tags=("A", "B", "C.TEXT"))
        notes = sorted(site.gaps("collector_took_over"), key=lambda note: note["until_at_utc"])
        assert ["not heard" in note["detail"] for note in notes] == [True, False]
        assert "handed over by collector_spare" in notes[1]["detail"]
        # Without history, what nobody saw lies in gap rows that say so, and nothing outside them is missing.
        gaps = [gap for gap in site.gaps("not_watched") if gap["tag_id"] == "D"]
        assert all(gap["is_open"] for gap in gaps)
        seen = {ticks for tag, ticks, *_ in site.points() if tag == "D"}
        lost = {
            ticks for tag, ticks, *_ in site.source.everything() if tag == "D" and ticks > min(seen)
        } - seen
        assert lost
        for ticks in lost:
            assert any(gap["from_at_utc"] < from_ticks(ticks) < gap["until_at_utc"] for gap in gaps)
    finally:
        await site.end()
