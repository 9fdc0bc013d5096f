"""A steward's thousand rows: template downloaded, filled in, dropped, answered, corrected, dropped again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from typer.testing import CliRunner

from contracts.template import (
    CODE_SHEET,
    CONTRACT_SHEET,
    DATA_SHEET,
    FILLER_CELL,
    FIRST_DATA_ROW,
    GUIDE_SHEET,
)
from ingestion.change_log import ChangeLog
from ingestion.connectors.workbook_result import HEADINGS, KNOWN, LANDED, REFUSED, SUMMARY_SHEET
from ingestion.context import ExtractContext, ExtractReport
from ingestion.extract import extract_table
from ingestion.registry import load_registry
from lake import tables
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from orchestration.cli import app
from orchestration.new_site import NewSite, make_site
from tests.fakes.file_site import NOW
from tests.fakes.still_clock import StillClock

ROOT = Path(__file__).parents[2]
COUNT = 1_000
FIRST_SAMPLE = datetime(2026, 11, 1, 8, 0)  # noqa: DTZ001  (people write plant time)
FACTORS = ("w01018", "氨氮", "总磷", "Total nitrogen")
MISTAKES = {  # by row: column, what is written, what the answer says
    10: ("result_value", "约 38", "无法识别", "cannot be read"),
    110: ("outlet_id", "DW999", "未登记", "not registered"),
    210: ("sampled_at_utc", "11.16 9:30", "无法识别", "four digits"),
    310: ("factor_code", "石油类", "不符合要求", "expected w01001"),
    410: ("sample_id", "w1", "不符合要求", "matches"),
    510: ("unit_code", "g/kg", "不符合要求", "mg/L"),
    610: ("result_value", -1, "不符合要求", "expected 0"),
    710: ("sampled_at_utc", datetime(2027, 1, 1), "晚于现在", "in the future"),  # noqa: DTZ001
    810: ("outlet_id", None, "必填", "required"),
    910: ("result_value", "=1/0", "无法识别", "cannot be read"),
}


@dataclass
class Desk:
    """The steward's place: a site, its inbox, and the answers."""

    context: ExtractContext

    def download(self, target: Path) -> Workbook:
        """The template as the command writes it."""
        arguments = ["contract", "template", "raw_lab_manual__water_results", str(target)]
        ran = CliRunner().invoke(app, [*arguments, "--site", str(self.context.site_dir)])
        assert ran.exit_code == 0, ran.output
        return load_workbook(target)

    def drop(self, book: Workbook, name: str) -> ExtractReport:
        """Put a workbook into the inbox and let it be taken in."""
        inbox = self.context.site_dir / "manual_inbox" / "lab_manual"
        inbox.mkdir(parents=True, exist_ok=True)
        book.save(inbox / name)
        (system,) = (
            found for found in load_registry(self.context.site_dir) if found.system_id == "lab_manual"
        )
        return extract_table(system, "water_results", self.context)

    def answer(self, stem: str) -> Workbook:
        """The result workbook."""
        (path,) = (self.context.site_dir / "manual_results" / "lab_manual").glob(
            f"{stem}.????????.result.xlsx"
        )
        return load_workbook(path)

    def table(self, name: str) -> ChangeLog:
        """One of the two tables."""
        (system,) = (
            found for found in load_registry(self.context.site_dir) if found.system_id == "lab_manual"
        )
        return ChangeLog(system.contract(name), self.context.lake)

    @property
    def findings(self) -> list[str]:
        """Kinds of what is open."""
        with self.context.state.read() as connection:
            return [row["kind"] for row in open_findings(connection)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    make_site(
        tmp_path / "site", NewSite("site_a", "甲厂", "Plant A", "park", None, "某县", date(2026, 11, 1))
    )
    for folder in ("systems", "registers"):
        shutil.copytree(
            ROOT / "reference_plant/site" / folder, tmp_path / "site" / folder, dirs_exist_ok=True
        )
    lake = LakePaths(tmp_path / "var")
    migrations.migrate(lake.state_url)
    clock = StillClock(NOW)
    state = open_state(lake.state_url, clock.now)
    return Desk(ExtractContext(lake, state, str, clock, tmp_path / "site", run_id="test"))


def right(index: int) -> dict[str, Any]:
    """What belongs into one row."""
    factor = FACTORS[index % 4]
    return {
        "sample_id": f"W202611-{index // 4:04}",
        "factor_code": factor,
        "outlet_id": "DW001",
        "sampled_at_utc": FIRST_SAMPLE + timedelta(minutes=index // 4),
        "result_value": "<0.05" if index % 50 == 1 else round(0.5 + index / 100, 2),
        "unit_code": "mg/L",
        "analyst_name": "陈静",
    }


def columns(book: Workbook) -> dict[str, int]:
    """The place of each column by our name, as a person finds it by its heading."""
    known = {
        "样品编号 *": "sample_id", "监测因子 *": "factor_code", "排放口编号 *": "outlet_id",
        "采样时间 *": "sampled_at_utc", "监测结果 *": "result_value", "单位 *": "unit_code",
        "分析人": "analyst_name", "更正原因": "correction_reason", "更正人": "correction_author",
    }  # fmt: skip
    return {known[cell.value]: cell.column for cell in book[DATA_SHEET][1] if cell.value in known}


def write(book: Workbook, index: int, **cells: Any) -> None:
    places = columns(book)
    for name, value in cells.items():
        book[DATA_SHEET].cell(FIRST_DATA_ROW + index, places[name]).value = value


def verdicts(book: Workbook) -> list[tuple[Any, ...]]:
    sheet = book[DATA_SHEET]
    (first,) = (cell.column for cell in sheet[1] if cell.value == HEADINGS[0])
    return list(
        sheet.iter_rows(FIRST_DATA_ROW, FIRST_DATA_ROW + COUNT - 1, first, first + 2, values_only=True)
    )


def test_a_thousand_rows_go_in_ten_come_back_are_corrected_and_go_in(desk: Desk, tmp_path: Path) -> None:
    book = desk.download(tmp_path / "water.xlsx")
    assert book[CONTRACT_SHEET].sheet_state == "veryHidden"
    assert book[CONTRACT_SHEET]["B2"].value == "1.1.0"
    offered = {str(v.sqref).split(":")[0]: v for v in book[DATA_SHEET].data_validations.dataValidation}
    assert {offered["B4"].type, offered["C4"].type, offered["D4"].type} == {"list", "date"}
    assert "DW001" in {cell.value for row in book[CODE_SHEET].iter_rows() for cell in row}
    book[GUIDE_SHEET][FILLER_CELL] = "周敏"
    for index in range(COUNT):
        column, wrong, *_ = MISTAKES.get(index, (None, None))
        write(book, index, **(right(index) | ({column: wrong} if column else {})))

    report = desk.drop(book, "november.xlsx")

    assert (report.rows_upserted, report.rows_quarantined) == (COUNT - len(MISTAKES), len(MISTAKES))
    answer = desk.answer("november")
    told = verdicts(answer)
    assert [row[0] for row in told].count(LANDED) == COUNT - len(MISTAKES)
    places = columns(answer)
    for index, (column, wrong, reason_zh, reason_en) in MISTAKES.items():
        verdict, zh, en = told[index]
        assert verdict == REFUSED
        if wrong != "=1/0":
            assert reason_zh in zh, index
            assert reason_en in en, index
        cell = answer[DATA_SHEET].cell(FIRST_DATA_ROW + index, places[column])
        assert cell.fill.fgColor.rgb.endswith("FF7C80"), "the wrong cell itself is marked"
        assert zh in cell.comment.text
    assert not [c for row in answer[DATA_SHEET].iter_rows() for c in row if c.data_type == "f"]
    summary = {row[0]: row[1] for row in answer[SUMMARY_SHEET].iter_rows(values_only=True)}
    assert (summary[LANDED], summary[REFUSED], summary["填报人 Filled in by"]) == (990, 10, "周敏")
    assert desk.findings == ["quarantined_row"] * len(MISTAKES)

    for index, (column, *_) in MISTAKES.items():
        write(answer, index, **{column: right(index)[column]})
    write(answer, 0, result_value=7.77)  # one that has landed, changed without a word
    write(answer, 1, result_value=8.88, correction_reason="稀释倍数录入错误", correction_author="陈静")
    report = desk.drop(answer, "november corrected.xlsx")

    assert (report.rows_upserted, report.rows_quarantined) == (len(MISTAKES) + 1, 1)
    second = desk.answer("november corrected")
    told = verdicts(second)
    assert [row[0] for row in told].count(KNOWN) == COUNT - len(MISTAKES) - 2
    assert told[0][0] == REFUSED
    assert "0.5 → 7.77" in told[0][1]
    assert not second[DATA_SHEET].cell(FIRST_DATA_ROW + 10, places["result_value"]).comment
    present = {row["_row_key"]: row for row in desk.table("water_results").live().to_pylist()}
    assert len(present) == COUNT
    corrected = present["W202611-0000|w21003"]
    assert (corrected["result_value"], corrected["correction_author"]) == (8.88, "陈静")
    assert present["W202611-0000|w01018"]["result_value"] == 0.5
    assert len(desk.findings) == 1

    raw = tables.read(desk.context.lake.table("raw", "raw_lab_manual__water_results")).to_pylist()
    aside = tables.read(desk.context.lake.table("raw", "raw_lab_manual__quarantine")).to_pylist()
    for row in (*raw, *aside):
        assert row["submitted_by"] == "周敏", "who"
        assert row["_extracted_at_utc"] == NOW, "when"
        assert "november" in row["_source_file"], "which file"
    assert {row["_source_row"] for row in raw} <= set(range(FIRST_DATA_ROW, FIRST_DATA_ROW + COUNT))
    earlier = [row for row in raw if row["_row_key"] == "W202611-0000|w21003"]
    assert sorted(row["result_text"] for row in earlier) == ["8.88", "<0.05"], "what was said first stays"


def test_without_a_name_in_the_guide_the_one_who_saved_last_handed_it_in(desk: Desk, tmp_path: Path) -> None:
    book = desk.download(tmp_path / "water.xlsx")
    write(book, 0, **right(0))
    book.properties.lastModifiedBy = "SAM\\zhoumin"
    desk.drop(book, "a.xlsx")
    (row,) = desk.table("water_results").live().to_pylist()
    assert row["submitted_by"] == "SAM\\zhoumin"
    assert NOW.tzinfo is UTC
