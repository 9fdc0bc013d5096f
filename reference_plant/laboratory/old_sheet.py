"""The laboratory's own sheet: titles, merged headings and cells, units inside cells, dates in many forms."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

from reference_plant.laboratory.results import REVIEWER, Result

HEADINGS = ("样品编号", "点位", "采样时间", "项目", "结果", "单位", "方法", "分析人", "审核人", "备注")
GROUPS = (("样品信息", 1, 3), ("监测结果", 4, 7), ("人员", 8, 9))
FIRST_ROW = 5
MERGED_COLUMNS = (1, 2, 3, 8, 9)


def old_sheet(results: list[Result]) -> Workbook:
    """A workbook of one sheet; each sample's rows share merged cells."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "废水监测"
    _write_head(sheet, results)
    row = FIRST_ROW
    for place, (_, of_sample) in enumerate(groupby(results, key=lambda result: result.sample)):
        rows = list(of_sample)
        for offset, result in enumerate(rows):
            _write_result(sheet, row + offset, result, place)
        for column in MERGED_COLUMNS:
            sheet.merge_cells(
                start_row=row, end_row=row + len(rows) - 1, start_column=column, end_column=column
            )
        row += len(rows)
    sheet.cell(row + 1, 1, "注：检出限以下以“<检出限”表示")
    return book


def _write_head(sheet: Worksheet, results: list[Result]) -> None:
    sheet.merge_cells("A1:J1")
    sheet["A1"] = "某某化工有限公司 化验室"
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A1"].alignment = Alignment(horizontal="center")
    sheet.merge_cells("A2:J2")
    taken = results[0].sample.taken_at
    sheet["A2"] = f"废水监测结果汇总表（{taken.year}年{taken.month}月{taken.day}日）"
    for name, first, last in GROUPS:
        sheet.merge_cells(start_row=3, end_row=3, start_column=first, end_column=last)
        sheet.cell(3, first, name)
    for column, heading in enumerate(HEADINGS, start=1):
        sheet.cell(4, column, heading)


def _write_result(sheet: Worksheet, row: int, result: Result, place: int) -> None:
    has_unit = result.item.unit_code != "1"
    # The unit stands in the cell for every other item and in its own column for the rest.
    unit_in_cell = has_unit and result.item.decimals % 2 == 0
    text = f"{result.result:.{result.item.decimals}f}" if isinstance(result.result, float) else result.result
    values = (
        result.sample.sample_id,
        result.sample.outlet_id,
        result.sample.taken_text or written_date(result.sample.taken_at, place),
        result.item.name_zh,
        f"{text} {result.item.unit_code}" if unit_in_cell else text,
        None if unit_in_cell or not has_unit else result.item.unit_code,
        result.item.method_no,
        result.analyst,
        REVIEWER,
        result.remark,
    )
    for column, value in enumerate(values, start=1):
        sheet.cell(row, column, value)


def written_date(taken_at: datetime, place: int) -> str | datetime:
    """The moment as the person whose turn it is writes it."""
    at = taken_at.replace(tzinfo=None)
    day_zh = f"{at.year}年{at.month}月{at.day}日 {at.hour}:{at.minute:02d}"
    forms = (day_zh, f"{at:%Y/%m/%d} {at.hour}:{at.minute:02d}", at, f"{at:%Y-%m-%d %H:%M}")
    return forms[place % len(forms)]
