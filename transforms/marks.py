"""From OPC UA status, instrument state and range to the data mark of HJ 212 (2017, Table 8).

Order of judgement: a status that is not Good says why by itself; then the instrument's work state; then the
range. The tables are `reference/{opcua_status_marks,instrument_states}.csv`.
"""

from __future__ import annotations

import math
from functools import cache

from transforms.reference import read_reference
from transforms.registry import computation

NORMAL = "N"
COMMUNICATION_FAULT = "B"
INSTRUMENT_FAULT = "D"
ABOVE_RANGE = "T"
_CODE_MASK = 0xFFFF0000
_SEVERITY_MASK = 0xC0000000


@cache
def _status_marks(matches: str) -> dict[int, str]:
    rows = read_reference("opcua_status_marks")
    return {int(row["status_code"]): row["mark"] for row in rows if row["matches"] == matches}


@cache
def _state_marks() -> dict[int, str]:
    return {int(row["state_code"]): row["mark"] for row in read_reference("instrument_states")}


def status_mark(status_code: int) -> str | None:
    """The mark an OPC UA status carries by itself, or none where the status is Good.

    The lower 16 bits hold limits and flags, not the reason, and are ignored.
    """
    if status_code & _SEVERITY_MASK == 0:
        return None
    by_severity = _status_marks("severity").get(status_code & _SEVERITY_MASK, INSTRUMENT_FAULT)
    return _status_marks("code").get(status_code & _CODE_MASK, by_severity)


def state_mark(state_code: int | None) -> str:
    """The mark of an instrument's work state; one that is unknown or not in the list counts as no contact."""
    if state_code is None:
        return COMMUNICATION_FAULT
    return _state_marks().get(state_code, COMMUNICATION_FAULT)


@computation(
    "sample_mark",
    version=1,
    clause="8.9.2.1.2",
    label_zh="监测数据标记",
    label_en="Data mark of a sample",
    inputs={
        "status_code": "OPC UA StatusCode",
        "has_state": "boolean",
        "state_code": "HJ 212 i12001",
        "value": "any",
        "range_low": "same as value",
        "range_high": "same as value",
    },
    outputs={"mark": "HJ 212 data mark"},
    source="HJ 212-2017 Table 8; OPC 10000-4 status codes; mapping of ours",
    metrics={"samples_without_a_mark": "0"},
)
def sample_mark(
    *,
    status_code: int,
    has_state: bool,
    state_code: int | None,
    value: float | None,
    range_low: float | None,
    range_high: float | None,
) -> str:
    """The HJ 212 mark of one sample.

    Args:
        status_code: all 32 bits as received.
        has_state: whether this point has an instrument state at all (a weather mast may have none).
        state_code: the state in force at the sample's time; none when it is not known.
        value: the number, none where the server sent none.
        range_low: lower end of the measuring range, none where there is none.
        range_high: upper end of the measuring range, none where there is none.
    """
    by_status = status_mark(status_code)
    if by_status is not None:
        return by_status
    by_state = state_mark(state_code) if has_state else NORMAL
    if by_state != NORMAL:
        return by_state
    if value is None or not math.isfinite(value):
        return INSTRUMENT_FAULT
    is_outside = (range_low is not None and value < range_low) or (
        range_high is not None and value > range_high
    )
    return ABOVE_RANGE if is_outside else NORMAL
