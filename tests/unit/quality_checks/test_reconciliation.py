"""What was sent in real time, held against the marts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from quality_checks.reconciliation import reconcile_stream

NOON = datetime(2026, 11, 16, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def observation(value: float | None, at: datetime = NOON + MINUTE, flag: str = "N") -> dict[str, Any]:
    values = [{"factor_code": "a21026", "value": value, "converted_value": None, "flag": flag}]
    return {"outlet_id": "DA001", "observed_at_utc": at.isoformat(), "values_json": json.dumps(values)}


def periods(*, low: float = 8.0, high: float = 12.0, normal: int = 12, minutes: int = 2) -> pa.Table:
    rows = [
        {
            "outlet_id": "DA001",
            "factor_code": "a21026",
            "period_start_utc": NOON + MINUTE * number,
            "min_value": low,
            "max_value": high,
            "value_count": 12,
            "normal_count": normal,
        }
        for number in range(minutes)
    ]
    schema = pa.schema([("period_start_utc", pa.timestamp("us", "UTC"))])
    table = pa.Table.from_pylist(rows)
    return table.set_column(2, "period_start_utc", table["period_start_utc"].cast(schema.field(0).type))


def test_a_value_within_the_samples_of_its_minutes_agrees():
    found = reconcile_stream([observation(10.0)], periods(), length=MINUTE)
    assert (found.compared, found.disagreements) == (1, ())


def test_a_value_outside_them_disagrees_and_is_named():
    found = reconcile_stream([observation(13.0)], periods(), length=MINUTE)
    [wrong] = found.disagreements
    assert (wrong.outlet_id, wrong.factor_code, wrong.sent, wrong.low, wrong.high) == (
        "DA001",
        "a21026",
        13,
        8,
        12,
    )
    assert "DA001 a21026" in str(wrong)


def test_one_per_cent_is_tolerated_and_two_are_not():
    assert not reconcile_stream([observation(12.11)], periods(), length=MINUTE).disagreements
    assert reconcile_stream([observation(12.25)], periods(), length=MINUTE).disagreements


def test_what_cannot_be_judged_is_not_compared():
    marked = observation(99.0, flag="D")
    empty = observation(None)
    not_yet = observation(99.0, at=NOON + 2 * MINUTE)
    for found in (
        reconcile_stream([marked, empty, not_yet], periods(), length=MINUTE),
        reconcile_stream([observation(99.0)], periods(normal=11), length=MINUTE),
        reconcile_stream([], periods(), length=MINUTE),
    ):
        assert (found.compared, found.disagreements) == (0, ())
