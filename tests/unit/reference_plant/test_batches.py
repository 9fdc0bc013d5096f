from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from reference_plant.plant.batches import PhaseCode, batch, batches_between

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 16, tzinfo=ZONE).astimezone(UTC)


def test_a_day_has_three_batches_that_never_overlap():
    found = batches_between(20261116, ZONE, START, START + timedelta(days=3))
    assert [one.batch_id for one in found[:4]] == ["B20261116-1", "B20261116-2", "B20261116-3", "B20261117-1"]
    assert len(found) == 9
    for earlier, later in pairwise(found):
        assert earlier.end_utc < later.start_utc


def test_phases_join_without_a_hole_and_span_the_batch():
    one = batch(1, ZONE, date(2026, 11, 16), 2)
    assert one.start_utc == datetime(2026, 11, 16, 0, 30, tzinfo=UTC)
    assert [phase.code for phase in one.phases] == [code for code in PhaseCode if code is not PhaseCode.IDLE]
    assert all(a.end_utc == b.start_utc for a, b in pairwise(one.phases))
    assert (one.phases[0].start_utc, one.phases[-1].end_utc) == (one.start_utc, one.end_utc)


def test_the_seed_decides_and_windows_select_by_overlap():
    one = batch(1, ZONE, date(2026, 11, 16), 1)
    assert batch(2, ZONE, date(2026, 11, 16), 1) != one
    assert batches_between(1, ZONE, one.end_utc - timedelta(seconds=1), one.end_utc) == [one]
    assert batches_between(1, ZONE, one.end_utc, one.end_utc + timedelta(minutes=1)) == []
