"""Source values become the contract's types exactly, or are refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from contracts.model import Column
from ingestion.connectors.conversion import ConversionError, convert


def column(logical_type: Any, **about: Any) -> Column:
    return Column("x", logical_type, "列", "Column", "一般", "生产", source_name="src", **about)


@pytest.mark.parametrize(
    ("found", "target", "expected"),
    [
        (["KG ", None], column("string", source_type="char(3)"), ["KG", None]),
        (["KG "], column("string", source_type="varchar(8)"), ["KG "]),
        ([" 1 "], column("string", source_type="char(3)"), [" 1"]),
        (["000010"], column("integer", source_type="char(6)", source_format="i32"), [10]),
        (["2.5", ""], column("number", source_type="numeric(12,3)"), [Decimal("2.500"), None]),
        (["0.38"], column("number"), [0.38]),
        (["true", "false"], column("boolean"), [True, False]),
        (["20261116", "        "], column("date", source_format="yyyyMMdd"), [date(2026, 11, 16), None]),
        (["2026-01-01"], column("date"), [date(2026, 1, 1)]),
        (
            ["2026/11/16 21:30:00"],
            column("timestamp", source_format="yyyy/MM/dd HH:mm:ss", source_zone="Asia/Shanghai"),
            [datetime(2026, 11, 16, 13, 30, tzinfo=UTC)],
        ),
        (
            [1763303400123],
            column("timestamp", source_format="epoch_ms"),
            [datetime(2025, 11, 16, 14, 30, 0, 123000, tzinfo=UTC)],
        ),
    ],
)
def test_values_convert_exactly(found: list[Any], target: Column, expected: list[Any]) -> None:
    assert convert(pa.chunked_array([found]), target).to_pylist() == expected


@pytest.mark.parametrize(
    ("found", "target", "named"),
    [
        (["1.2345"], column("number", source_type="numeric(12,3)"), "data loss"),
        (["99999999999"], column("number", source_type="numeric(5,3)"), "precision"),
        (["20261345"], column("date", source_format="yyyyMMdd"), "20261345"),
        (["x"], column("integer", source_format="i32"), "'x'"),
        ([300], column("integer", source_format="i8"), "300"),
        ([datetime(2026, 11, 16)], column("timestamp"), "without a zone"),  # noqa: DTZ001
    ],
)
def test_what_would_lose_something_is_refused_and_named(found: list[Any], target: Column, named: str) -> None:
    with pytest.raises(ConversionError, match=r"x \(source src\)") as caught:
        convert(pa.chunked_array([found]), target)
    assert named in str(caught.value)
