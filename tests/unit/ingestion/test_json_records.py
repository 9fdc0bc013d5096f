"""JSON → records: a name that stands twice in an object, at any depth, is refused and never guessed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.files.json_records import read_json
from ingestion.files.layout import TableLayout

CONTRACT: Any = SimpleNamespace(
    columns=[SimpleNamespace(source_name="id"), SimpleNamespace(source_name="mass.kg")]
)


@pytest.mark.parametrize(
    "record",
    [
        '{"id": 1, "id": 2, "mass": {"kg": 3}}',
        '{"id": 1, "mass": {"kg": 3, "kg": 4}}',
        '{"id": 1, "mass": {"kg": 3, "of": {"a": 1, "a": 2}}}',
        '{"id": 1, "mass": {"\\u0000twice": 1, "kg": 3, "kg": 4}}',
    ],
)
def test_a_name_that_stands_twice_refuses_its_record_and_no_other(record: str) -> None:
    good = '{"id": 7, "mass": {"kg": 8.50}}'
    found = list(read_json(f"[{record}, {good}]", "utf-8", CONTRACT, TableLayout()).records)
    assert [one.fault is not None for one in found] == [True, False]
    assert "twice" in found[0].fault.reason_en  # type: ignore[union-attr]
    assert found[1].cells == ("7", "8.50")
