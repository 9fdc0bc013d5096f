"""A stored table follows its contract where nothing is lost, and refuses the rest in both languages."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lake import tables
from lake.delta_extension import load_delta
from lake.evolution import EvolutionError, bring_up_to, stored_schema

BEFORE = pa.schema(
    [
        pa.field("lot_id", pa.string(), nullable=False),
        pa.field("quantity", pa.decimal128(9, 2), nullable=False),
        pa.field("line_number", pa.int32()),
    ]
)
LOTS = {"lot_id": ["a", "b"], "quantity": [Decimal("1.25"), Decimal("2.50")], "line_number": [1, None]}


def append(path: Path, rows: dict[str, list[object]], schema: pa.Schema, version: int) -> None:
    tables.append(path, pa.table(rows, schema=schema), schema, app_id="wms.lots", version=version)


@pytest.fixture
def lots(tmp_path: Path) -> Path:
    path = tmp_path / "raw_wms__lots"
    append(path, LOTS, BEFORE, 1)
    return path


def field(name: str, kind: pa.DataType, *, nullable: bool = True) -> pa.Schema:
    """The schema with one field in another form, or one more field."""
    changed = pa.field(name, kind, nullable=nullable)
    return BEFORE.set(BEFORE.names.index(name), changed) if name in BEFORE.names else BEFORE.append(changed)


def test_a_new_column_comes_and_old_rows_are_empty_there(lots: Path) -> None:
    schema = field("remark", pa.string())
    append(lots, {**LOTS, "remark": ["x", "y"]}, schema, 2)
    assert sorted(filter(None, tables.read(lots)["remark"].to_pylist())) == ["x", "y"]
    assert tables.count(lots) == 4


@pytest.mark.parametrize(
    ("name", "kind"),
    [("quantity", pa.decimal128(14, 4)), ("line_number", pa.int64()), ("line_number", pa.float64())],
    ids=["decimal", "integer", "integer_to_double"],
)
def test_a_wider_type_keeps_every_value_and_the_cursor(lots: Path, name: str, kind: pa.DataType) -> None:
    schema = field(name, kind, nullable=BEFORE.field(name).nullable)
    bring_up_to(lots, schema)
    assert stored_schema(lots).field(name).type == kind
    assert tables.read(lots).sort_by("lot_id")[name].to_pylist() == LOTS[name]
    assert tables.transaction_version(lots, "wms.lots") == 1
    append(lots, LOTS, schema, 1)
    assert tables.count(lots) == 2, "the repeat is still known as one"
    append(lots, LOTS, schema, 2)
    with duckdb.connect() as connection:
        load_delta(connection)
        assert connection.execute(f"select count({name}) from delta_scan('{lots}')").fetchone() == (
            sum(value is not None for value in LOTS[name]) * 2,
        )


def test_a_column_may_be_empty_from_now_on(lots: Path) -> None:
    schema = field("quantity", pa.decimal128(9, 2))
    append(lots, {**LOTS, "quantity": [None, None]}, schema, 2)
    assert tables.read(lots)["quantity"].null_count == 2


def test_one_append_takes_a_new_column_and_a_wider_type_together(lots: Path) -> None:
    schema = field("line_number", pa.int64()).append(pa.field("remark", pa.string()))
    append(lots, {**LOTS, "remark": ["x", "y"]}, schema, 2)
    assert set(tables.read(lots).schema.names) == set(schema.names)


def test_an_unchanged_declaration_writes_nothing(lots: Path) -> None:
    bring_up_to(lots, BEFORE)
    assert tables.version(lots) == DeltaTable(lots).version() == 1
    bring_up_to(lots.with_name("raw_wms__none"), BEFORE)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (BEFORE.remove(2), "line_number.column"),
        (field("line_number", pa.string()), "line_number.type: int32 → string"),
        (field("quantity", pa.decimal128(8, 2), nullable=False), "quantity.type"),
        (field("line_number", pa.int32(), nullable=False), "line_number.required"),
        (field("place", pa.string(), nullable=False), "place.column"),
    ],
    ids=["gone", "other_type", "narrower", "must_not_be_empty", "new_and_required"],
)
def test_a_breaking_change_is_refused_in_both_languages(lots: Path, schema: pa.Schema, told: str) -> None:
    version = tables.version(lots)
    with pytest.raises(EvolutionError) as caught:
        bring_up_to(lots, schema)
    message = str(caught.value)
    assert told in message
    assert "处理方法" in message
    assert "What to do" in message
    assert "raw_wms__lots" in message
    assert tables.version(lots) == version, "nothing was written"
