"""The park platform's JSON reports: one a period for the whole site, canonical (sorted keys, no blanks).

Two numbers are not of the rendering: `revision` is set when the submission is queued, `sequence` when it
leaves, because the park counts only what it accepted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from exports.errors import RenderError
from exports.render.numbers import Decimals, decimals_of, fixed

SCHEMA_VERSION = 1
_TEXTS = (
    "outlet_id",
    "outlet_name_zh",
    "factor_code",
    "factor_name_zh",
    "unit",
    "data_flag",
    "limit_basis",
    "standard_no",
    "standard_name_zh",
    "is_exceeded",
)
_VALUES = ("avg_value", "converted_avg_value")
_EMISSION_DECIMALS = 4  # a tenth of a gram: an hour of a small outlet is not rounded to nothing


def render_period(
    rows: Sequence[Mapping[str, Any]],
    *,
    report_id: str,
    enterprise_code: str,
    period_start: datetime,
    decimals: Decimals,
    zone: ZoneInfo,
) -> bytes:
    """The body of one period, with revision 0 and no sequence.

    Args:
        rows: one row an outlet and factor, all of this period.
        report_id: the report's id, which the park numbers by.
        enterprise_code: who reports.
        period_start: start of the period; written with the plant's offset.
        decimals: by factor, in the order of the factor list.
        zone: the plant's zone.

    Raises:
        RenderError: an unknown factor, or a value that is no finite number.
    """
    place = {code: index for index, code in enumerate(decimals)}
    listed = sorted(rows, key=lambda row: (row["outlet_id"], place.get(row["factor_code"], len(place))))
    body = {
        "schema_version": SCHEMA_VERSION,
        "enterprise_code": enterprise_code,
        "report_id": report_id,
        "period_start": period_start.astimezone(zone).isoformat(),
        "revision": 0,
        "rows": [_row(row, decimals) for row in listed],
    }
    return _canonical(body)


def with_revision(body: bytes, revision: int) -> bytes:
    """`body` as the given revision of its period."""
    return _canonical({**_read(body), "revision": revision})


def with_sequence(content: bytes, sequence: int) -> bytes:
    """`content` as the receiver gets it: with its number among the report's accepted submissions."""
    return _canonical({**_read(content), "sequence": sequence})


def _read(content: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(content))
    except (ValueError, TypeError) as error:
        msg = f"reading stored park content {content[:60]!r}…: expected a JSON object: {error}"
        raise RenderError(msg) from error


def _row(row: Mapping[str, Any], decimals: Decimals) -> dict[str, Any]:
    places = decimals_of(row["factor_code"], decimals).value
    return {
        **{name: row[name] for name in _TEXTS},
        **{name: _number(row[name], places) for name in _VALUES},
        "emission_kg": _number(row["emission_kg"], _EMISSION_DECIMALS),
        "limit_value": row["limit_value"],
    }


def _number(value: float | None, decimals: int) -> float | None:
    return None if value is None else float(fixed(value, decimals))


def _canonical(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
