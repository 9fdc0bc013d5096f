"""The official template, as the contract makes it, with the laboratory's rows filled in."""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from io import BytesIO
from pathlib import Path

from openpyxl import load_workbook
from openpyxl.workbook import Workbook

from contracts.loading import load_contract
from contracts.template import DATA_SHEET, FIRST_DATA_ROW, entered_columns, render_template
from reference_plant.laboratory.results import Result

CONTRACT = "systems/lab_manual/water_results.odcs.yaml"


def filled_template(results: list[Result]) -> Workbook:
    """A workbook made from the contract; a column the laboratory does not know of stays empty."""
    with resources.as_file(resources.files("ingestion") / CONTRACT) as path:
        contract = load_contract(Path(path))
    book = load_workbook(BytesIO(render_template(contract)))
    sheet = book[DATA_SHEET]
    for row, result in enumerate(results, start=FIRST_DATA_ROW):
        known = _fields(result)
        for place, column in enumerate(entered_columns(contract), start=1):
            sheet.cell(row, place, known.get(column.name))
    return book


def _fields(result: Result) -> dict[str, float | str | datetime | None]:
    return {
        "sample_id": result.sample.sample_id,
        "outlet_id": result.sample.outlet_id,
        "sampled_at_utc": result.sample.taken_at.replace(tzinfo=None),  # the template asks for plant time
        "factor_code": result.item.factor_code,
        "result_value": result.result,
        "unit_code": result.item.unit_code,
        "method_no": result.item.method_no,
        "analyst_name": result.analyst,
        "correction_reason": result.correction_reason,
        "correction_author": result.correction_author,
    }
