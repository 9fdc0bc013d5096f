"""Every kind of change has its class, its line and the version it demands; a release cannot be forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.changes import ChangeClass, demanded_version, worst
from contracts.comparison import compare, widens
from contracts.loading import load_contract, load_contracts
from contracts.model import Code, Contract, ExtractMode
from contracts.released import RELEASED_FILE, released_contracts, version_faults, write_released

SYSTEMS = Path(__file__).parents[3] / "ingestion" / "systems"
NONE, DOCUMENTATION, ADDITION, WIDENING, BREAKING = ChangeClass


@pytest.fixture(scope="module")
def orders() -> Contract:
    return load_contract(SYSTEMS / "erp_main" / "sales_order_lines.odcs.yaml")


def changed(contract: Contract, column: str, **values: Any) -> Contract:
    columns = tuple(replace(c, **values) if c.name == column else c for c in contract.columns)
    return replace(contract, columns=columns)


# Column of sales_order_lines, what becomes of it, and how much that matters.
COLUMN_CASES: dict[str, tuple[str, dict[str, Any], ChangeClass]] = {
    "label": ("quantity", {"label_zh": "数量"}, DOCUMENTATION),
    "source name": ("quantity", {"source_name": "menge"}, DOCUMENTATION),
    "wider decimal": ("quantity", {"source_type": "numeric(18,4)"}, WIDENING),
    "narrower decimal": ("quantity", {"source_type": "numeric(15,2)"}, BREAKING),
    "decimal that loses whole digits": ("quantity", {"source_type": "numeric(15,4)"}, BREAKING),
    "wider integer": ("line_number", {"source_format": "i64"}, WIDENING),
    "narrower integer": ("line_number", {"source_format": "i16"}, BREAKING),
    "another type": ("line_number", {"logical_type": "string"}, BREAKING),
    "may be empty": ("material_code", {"required": False}, WIDENING),
    "other unit": ("line_number", {"unit": "kg"}, BREAKING),
    "other zone": ("updated_at_utc", {"source_zone": "UTC"}, BREAKING),
    "higher grade": ("quantity", {"grade": "重要"}, BREAKING),
    "personal": ("quantity", {"is_personal": True}, BREAKING),
    "category": ("quantity", {"category": "生产"}, BREAKING),
    "lower minimum": ("quantity", {"minimum": None}, WIDENING),
    "higher minimum": ("quantity", {"minimum": 1.0}, BREAKING),
    "pattern": ("material_code", {"pattern": "^M"}, BREAKING),
    "code gone": ("rejection_code", {"codes": (Code("", "无", "None"),)}, BREAKING),
    "code list gone": ("rejection_code", {"codes": ()}, WIDENING),
    "mapped by another list": ("material_code", {"code_type": "product"}, WIDENING),
    "key": ("line_number", {"key_position": None}, BREAKING),
}


@pytest.mark.parametrize("case", COLUMN_CASES)
def test_a_change_of_a_column_has_its_class(case: str, orders: Contract) -> None:
    column, values, kind = COLUMN_CASES[case]
    assert worst(compare(orders, changed(orders, column, **values))) is kind


def test_a_code_may_come_and_its_words_may_change(orders: Contract) -> None:
    codes = orders.column("delivery_status_code").codes
    more = changed(orders, "delivery_status_code", codes=(*codes, Code("D", "退回", "Returned")))
    assert worst(compare(orders, more)) is WIDENING
    codes = (replace(codes[0], label_en="Not yet"), *codes[1:])
    reworded = changed(orders, "delivery_status_code", codes=codes)
    assert worst(compare(orders, reworded)) is DOCUMENTATION


TABLE_CASES: dict[str, tuple[dict[str, Any], ChangeClass]] = {
    "owner": ({"owner": "logistics"}, DOCUMENTATION),
    "overlap": ({"overlap": 60}, DOCUMENTATION),
    "read in full": ({"mode": ExtractMode.FULL}, WIDENING),
    "a stream": ({"mode": ExtractMode.STREAM}, BREAKING),
    "kept for longer": ({"retention_days": 9999}, ADDITION),
    "kept for a day": ({"retention_days": 1}, BREAKING),
    "slower": ({"cadence_s": 86_400}, BREAKING),
    "category": ({"category": "外部"}, BREAKING),
}


@pytest.mark.parametrize("case", TABLE_CASES)
def test_a_change_of_the_table_has_its_class(case: str, orders: Contract) -> None:
    values, kind = TABLE_CASES[case]
    assert worst(compare(orders, replace(orders, **values))) is kind


def test_columns_come_as_additions_and_go_as_breaks(orders: Contract) -> None:
    fewer = replace(orders, columns=orders.columns[:-1])
    (gone,) = (c for c in compare(orders, fewer) if c.kind is BREAKING)
    assert (gone.column, gone.is_in_old) == (orders.columns[-1].name, True)
    optional = replace(orders.columns[-1], required=False)
    assert worst(compare(fewer, replace(orders, columns=(*fewer.columns, optional)))) is ADDITION
    assert worst(compare(fewer, orders)) is BREAKING, "stored rows have no value for a required column"
    backwards = replace(orders, columns=orders.columns[::-1])
    assert worst(compare(orders, backwards)) is DOCUMENTATION


def test_the_same_contract_has_not_changed(orders: Contract) -> None:
    assert compare(orders, replace(orders, version="9.9.9")) == ()


@pytest.mark.parametrize(
    ("kind", "version"),
    list(zip(ChangeClass, ("1.4.2", "1.4.3", "1.5.0", "1.5.0", "2.0.0"), strict=True)),
)
def test_the_demanded_version_follows_semver(kind: ChangeClass, version: str) -> None:
    assert demanded_version("1.4.2", kind) == version


@pytest.mark.parametrize(
    ("old", "new", "is_wider"),
    [
        (pa.int32(), pa.int64(), True),
        (pa.int64(), pa.int32(), False),
        (pa.int32(), pa.float64(), True),
        (pa.int64(), pa.float64(), False),
        (pa.int32(), pa.decimal128(12, 2), True),
        (pa.int32(), pa.decimal128(11, 2), False),
        (pa.float32(), pa.float64(), True),
        (pa.float64(), pa.decimal128(38, 10), False),
        (pa.decimal128(9, 2), pa.decimal128(10, 2), True),
        (pa.decimal128(9, 2), pa.float64(), False),
        (pa.date32(), pa.timestamp("us", tz="UTC"), False),
        (pa.string(), pa.string(), True),
    ],
)
def test_a_wider_type_holds_every_value_exactly(old: pa.DataType, new: pa.DataType, is_wider: bool) -> None:
    assert widens(old, new) is is_wider


@pytest.fixture
def released_system(tmp_path: Path) -> Path:
    for name in ("sales_order_lines", "customers"):
        text = (SYSTEMS / "erp_main" / f"{name}.odcs.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.odcs.yaml").write_text(text, encoding="utf-8")
    write_released(load_contracts(tmp_path))
    return tmp_path


def test_what_was_released_is_read_back_unchanged(released_system: Path) -> None:
    for contract in load_contracts(released_system):
        back = released_contracts(released_system)[contract.contract_id]
        assert replace(back, path=contract.path) == contract
    assert version_faults(load_contracts(released_system)) == []
    assert write_released(load_contracts(released_system)) == [], "nothing changed, nothing is written"


def test_every_product_contract_survives_its_release(tmp_path: Path) -> None:
    for contract in load_contracts(SYSTEMS):
        write_released([replace(contract, path=tmp_path / "x.odcs.yaml")])
        (back,) = released_contracts(tmp_path).values()
        assert compare(back, contract) == ()


def test_a_change_without_its_version_is_told_with_both_lines(released_system: Path) -> None:
    path = released_system / "sales_order_lines.odcs.yaml"
    text = path.read_text(encoding="utf-8").replace("numeric(15,3)", "numeric(12,3)")
    path.write_text(text, encoding="utf-8")
    version, column = version_faults(load_contracts(released_system))
    assert "make it 2.0.0" in version.message
    assert text.splitlines()[(version.line or 0) - 1] == "version: 1.0.0"
    assert "quantity.type: decimal128(15, 3) → decimal128(12, 3)" in column.message
    assert text.splitlines()[(column.line or 0) - 1] == "      - name: quantity"
    for version_text, fits in (("1.9.0", False), ("2.0.0", True), ("2.1.0", True)):
        path.write_text(text.replace("version: 1.0.0", f"version: {version_text}"), encoding="utf-8")
        assert (version_faults(load_contracts(released_system)) == []) is fits, version_text


def test_a_released_contract_may_not_vanish_and_a_new_one_is_free(released_system: Path) -> None:
    lines = released_system / "sales_order_lines.odcs.yaml"
    new = lines.read_text(encoding="utf-8").replace("sales_order_lines", "quotation_lines")
    (released_system / "quotation_lines.odcs.yaml").write_text(new, encoding="utf-8")
    assert version_faults(load_contracts(released_system)) == []
    lines.unlink()
    (fault,) = version_faults(load_contracts(released_system))
    assert fault.path.name == RELEASED_FILE
    assert "erp_main.sales_order_lines was released and its file is gone" in fault.message


def test_a_version_that_is_none_is_told(released_system: Path) -> None:
    path = released_system / "customers.odcs.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("version: 1.0.0", "version: two"), encoding="utf-8"
    )
    (fault,) = version_faults(load_contracts(released_system))
    assert "expected three numbers" in fault.message
