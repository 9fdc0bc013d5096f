"""What is made from a contract: Arrow schema, checks, template, dictionary, dbt sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from openpyxl import load_workbook

from contracts.arrow import raw_schema, source_schema
from contracts.checks import Rule, check
from contracts.dbt_sources import render_sources
from contracts.dictionary import render_dictionary
from contracts.loading import load_contract
from contracts.model import Contract, ExtractMode
from contracts.template import CODE_SHEET, CONTRACT_SHEET, DATA_SHEET, entered_columns, render_template

SYSTEMS = Path(__file__).parents[3] / "ingestion" / "systems"


@pytest.fixture(scope="module")
def shipments() -> Contract:
    return load_contract(SYSTEMS / "wms_main" / "shipment_lines.odcs.yaml")


@pytest.fixture(scope="module")
def results() -> Contract:
    return load_contract(SYSTEMS / "lab_manual" / "water_results.odcs.yaml")


def row(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "shipment_id": "S1",
        "line_number": number,
        "lot_id": "L1",
        "material_code": "MA-MIX",
        "quantity": Decimal("2.5000"),
        "unit_code": "KG",
        "updated_at_utc": datetime(2026, 11, 16, tzinfo=UTC),
    } | changes


def table(contract: Contract, *rows: dict[str, Any]) -> pa.Table:
    fields = [field.with_nullable(True) for field in source_schema(contract)]
    return pa.Table.from_pylist(list(rows), schema=pa.schema(fields))


def test_exact_numbers_stay_exact_and_integers_keep_their_width(shipments: Contract) -> None:
    schema = source_schema(shipments)
    assert schema.field("quantity").type == pa.decimal128(14, 4)
    assert schema.field("line_number").type == pa.int32()
    assert schema.field("updated_at_utc").type == pa.timestamp("us", tz="UTC")
    assert not schema.field("shipment_id").nullable
    assert b"unit_code" in schema.field("quantity").metadata[b"comment"]


def test_the_raw_schema_ends_with_bookkeeping(shipments: Contract) -> None:
    names = raw_schema(shipments).names
    assert names[: len(shipments.columns)] == [column.name for column in shipments.columns]
    assert names[-7:] == [
        "_op",
        "_extracted_at_utc",
        "_extract_sequence",
        "_source_file",
        "_source_row",
        "_schema_version",
        "_row_key",
    ]


def test_sound_rows_violate_nothing(shipments: Contract) -> None:
    assert check(table(shipments, row(1), row(2)), shipments) == ()


@pytest.mark.parametrize(
    ("rows", "rule", "column", "where"),
    [
        ([row(1), row(2, lot_id=None)], Rule.NULL, "lot_id", (1,)),
        ([row(1), row(2), row(1)], Rule.DUPLICATE_KEY, "shipment_id, line_number", (2,)),
        ([row(1), row(2, quantity=Decimal("-1"))], Rule.RANGE, "quantity", (1,)),
        ([row(0)], Rule.RANGE, "line_number", (0,)),
    ],
)
def test_a_violation_names_rule_column_and_rows(
    rows: list[dict[str, Any]], rule: Rule, column: str, where: tuple[int, ...], shipments: Contract
) -> None:
    (found,) = check(table(shipments, *rows), shipments)
    assert (found.rule, found.column, found.rows) == (rule, column, where)
    assert found.expected_zh
    assert found.expected_en
    assert found.is_blocking is (rule is not Rule.RANGE)


def test_columns_too_many_too_few_or_of_another_type_are_told_together(shipments: Contract) -> None:
    found = table(shipments, row()).drop_columns("lot_id").append_column("neu", pa.array(["x"]))
    found = found.set_column(0, "shipment_id", pa.array([1]))
    rules = {(violation.rule, violation.column) for violation in check(found, shipments)}
    assert rules == {
        (Rule.MISSING_COLUMN, "lot_id"),
        (Rule.EXTRA_COLUMN, "neu"),
        (Rule.TYPE, "shipment_id"),
    }


def test_a_key_may_return_in_a_later_extract_but_not_in_the_same(shipments: Contract) -> None:
    twice = table(shipments, row(), row())
    later = twice.append_column("_extract_sequence", pa.array([1, 2]))
    same = twice.append_column("_extract_sequence", pa.array([2, 2]))
    assert check(later, shipments) == ()
    assert [violation.rule for violation in check(same, shipments)] == [Rule.DUPLICATE_KEY]


def test_codes_and_patterns_are_checked(results: Contract) -> None:
    values = {
        "sample_id": "w 1",
        "factor_code": "w99999",
        "outlet_id": "DW001",
        "sampled_at_utc": datetime(2026, 11, 16, tzinfo=UTC),
        "result_value": float("nan"),
        "unit_code": "mg/L",
        "is_below_detection": False,
        "result_text": "x",
    }
    found = {(violation.rule, violation.column) for violation in check(table(results, values), results)}
    assert found == {(Rule.PATTERN, "sample_id"), (Rule.CODE, "factor_code"), (Rule.RANGE, "result_value")}


def test_streams_may_bring_a_point_twice(shipments: Contract) -> None:
    stream = replace(shipments, mode=ExtractMode.STREAM)
    assert check(table(stream, row(), row()), stream) == ()


def test_the_template_asks_for_what_is_entered_and_for_nothing_we_derive(results: Contract) -> None:
    book = load_workbook(BytesIO(render_template(results)))
    sheet = book[DATA_SHEET]
    asked = [column.name for column in entered_columns(results)]
    assert "is_below_detection" not in asked
    assert [sheet.cell(1, index).value for index in (1, 2)] == ["样品编号 *", "监测因子 *"]
    assert sheet.cell(2, 1).value == "Sample *"
    assert sheet.max_column == len(asked)
    assert book[CONTRACT_SHEET].sheet_state == "veryHidden"
    assert [cell.value for cell in book[CONTRACT_SHEET]["B"]] == [results.contract_id, results.version]


def test_the_template_offers_code_lists_that_exist(results: Contract) -> None:
    book = load_workbook(BytesIO(render_template(results)))
    offered = {}
    for validation in book[DATA_SHEET].data_validations.dataValidation:
        if validation.type != "list":
            continue
        sheet, cells = validation.formula1.split("!")
        assert sheet.strip("'") == CODE_SHEET
        column = str(validation.sqref)[0]
        offered[column] = [cell[0].value for cell in book[CODE_SHEET][cells.replace("$", "")]]
    assert offered["B"] == [code.value for code in results.column("factor_code").codes]
    assert offered["F"] == ["mg/L", "1"]


@pytest.mark.parametrize(("language", "label"), [("zh", "监测结果"), ("en", "Result")])
def test_the_dictionary_tells_every_column_in_both_languages(
    language: Any, label: str, results: Contract
) -> None:
    page = render_dictionary([results], language)
    assert all(f"| `{column.name}` |" in page for column in results.columns)
    assert label in page
    assert "DB32/T 4765-2024#8.9.2.2" in page


def test_sources_carry_asset_keys_and_every_column(results: Contract, shipments: Contract) -> None:
    sources = {
        source["name"]: source for source in yaml.safe_load(render_sources([results, shipments]))["sources"]
    }
    assert set(sources) == {"lab_manual", "wms_main"}
    (found,) = sources["wms_main"]["tables"]
    assert found["config"]["meta"]["dagster"]["asset_key"] == ["raw", "raw_wms_main__shipment_lines"]
    assert [column["name"] for column in found["columns"]] == raw_schema(shipments).names
    location = sources["wms_main"]["config"]["meta"]["external_location"]
    assert location == "delta_scan('{{ env_var(\"CHEMLINK_LAKE\") }}/raw/{name}')"
