"""Workbooks end to end: template → filled in → dropped → landed, quarantined, answered, archived."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from contracts.template import DATA_SHEET, FIRST_DATA_ROW, entered_columns, render_template
from ingestion.change_log import ChangeLog
from ingestion.connectors import workbook_archive, workbook_file, workbook_parts
from ingestion.connectors.workbook_result import HEADINGS, KNOWN, LANDED, REFUSED
from ingestion.context import ExtractContext, ExtractReport
from ingestion.extract import extract_table
from ingestion.files import drop_folder
from ingestion.registry import SystemSpec, load_registry
from lake import tables
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from tests.fakes.still_clock import StillClock

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 17, 4, 0, tzinfo=UTC)
SAMPLED = datetime(2026, 11, 16, 9, 30)  # noqa: DTZ001  (people write plant time without a zone)
GOOD = {
    "sample_id": "W20261116-01",
    "factor_code": "w01018",
    "outlet_id": "DW001",
    "sampled_at_utc": SAMPLED,
    "result_value": "38 mg/L",
    "method_no": "HJ 828-2017",
    "analyst_name": "陈静",
}


@dataclass
class Laboratory:
    """A site with an inbox, and what is asked of it again and again."""

    context: ExtractContext
    system: SystemSpec
    dropped: int = 0

    @property
    def results(self) -> ChangeLog:
        return ChangeLog(self.system.contract("water_results"), self.context.lake)

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        return ChangeLog(self.system.contract("quarantine"), self.context.lake).live().to_pylist()

    @property
    def findings(self) -> dict[str, Any]:
        with self.context.state.read() as connection:
            return {row["subject"]: row for row in open_findings(connection)}

    def present(self) -> dict[str, float]:
        return {row["_row_key"]: row["result_value"] for row in self.results.live().to_pylist()}

    def drop(self, content: bytes | Workbook, name: str = "sheet.xlsx") -> Path:
        path = self.context.site_dir / "manual_inbox" / "lab_manual" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Workbook):
            content.save(path)
        else:
            path.write_bytes(content)
        return path

    def take_in(self) -> ExtractReport:
        return extract_table(self.system, "water_results", self.context)

    def answers(self, name: str) -> list[tuple[Any, ...]]:
        """Verdict and reasons of each marked row of the result workbook."""
        (path,) = (self.context.site_dir / "manual_results" / "lab_manual").glob(f"{name}.*.result.xlsx")
        for sheet in load_workbook(path).worksheets:
            for cell in sheet[1]:
                if cell.value == HEADINGS[0]:
                    column = cell.column
                    rows = sheet.iter_rows(min_row=2, min_col=column, max_col=column + 2, values_only=True)
                    return [row for row in rows if row[0]]
        return []


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    monkeypatch.setattr(drop_folder.time, "sleep", lambda _seconds: None)
    for folder in ("systems", "registers"):
        shutil.copytree(ROOT / "reference_plant" / "site" / folder, tmp_path / folder)
    lake = LakePaths(tmp_path / "var")
    migrations.migrate(lake.state_url)
    clock = StillClock(NOW)
    context = ExtractContext(lake, open_state(lake.state_url, clock.now), str, clock, tmp_path, run_id="test")
    (system,) = (spec for spec in load_registry(tmp_path) if spec.system_id == "lab_manual")
    return Laboratory(context, system)


@pytest.fixture
def template(laboratory: Laboratory) -> Callable[..., Workbook]:
    contract = laboratory.system.contract("water_results")

    def fill(*rows: dict[str, Any]) -> Workbook:
        book = load_workbook(BytesIO(render_template(contract)))
        for number, row in enumerate(rows, start=FIRST_DATA_ROW):
            for index, column in enumerate(entered_columns(contract), start=1):
                book[DATA_SHEET].cell(number, index, row.get(column.name))
        return book

    return fill


def old_sheet(*rows: tuple[Any, ...]) -> Workbook:
    """Title rows, merged group headings, and samples whose cells are merged over their rows."""
    book = Workbook()
    sheet = book.active
    sheet.merge_cells("A1:G1")
    sheet["A1"] = "某某化工有限公司 化验室"
    sheet["A2"] = "废水监测结果汇总表（2026年11月16日）"
    sheet.merge_cells("A3:C3")
    sheet["A3"] = "样品信息"
    for column, heading in enumerate(
        ("样品编号", "点位", "采样时间", "项目", "结果", "单位", "审核人"), start=1
    ):
        sheet.cell(4, column, heading)
    for number, row in enumerate(rows, start=5):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column, value)
    for column in "ABC":
        sheet.merge_cells(f"{column}5:{column}{4 + len(rows)}")
    sheet.cell(6 + len(rows), 1, "注：检出限以下以“<检出限”表示")
    return book


def test_a_filled_template_lands_is_answered_and_archived(laboratory, template) -> None:
    below = GOOD | {"factor_code": "氨氮", "result_value": "<0.025", "unit_code": "mg/L"}
    path = laboratory.drop(template(GOOD, below))
    report = laboratory.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (2, 0)
    rows = {row["factor_code"]: row for row in laboratory.results.live().to_pylist()}
    assert rows["w01018"]["result_value"] == 38.0
    assert rows["w01018"]["unit_code"] == "mg/L"
    assert rows["w01018"]["sampled_at_utc"] == datetime(2026, 11, 16, 1, 30, tzinfo=UTC)
    assert rows["w21003"]["is_below_detection"] is True
    assert rows["w21003"]["result_text"] == "<0.025"
    raw = tables.read(laboratory.context.lake.table("raw", "raw_lab_manual__water_results")).to_pylist()
    assert {row["_source_row"] for row in raw} == {FIRST_DATA_ROW, FIRST_DATA_ROW + 1}
    assert not path.exists()
    archived = laboratory.context.lake.root / "manual_archive" / "lab_manual" / raw[0]["_source_file"]
    assert workbook_file.read_workbook_file(archived).sha256 == archived.parent.name
    assert [row[0] for row in laboratory.answers("sheet")] == [LANDED, LANDED]


def test_the_old_sheet_lands_with_merged_cells_units_in_cells_and_written_dates(laboratory) -> None:
    laboratory.drop(
        old_sheet(
            ("W20261116-03", "DW001", "2026年11月16日 13:30", "化学需氧量", "41 mg/L", None, "周敏"),
            (None, None, None, "氨氮", "1.234", "mg/L", "周敏"),
            (None, None, None, "pH", "7.4", None, "周敏"),
            (None, None, None, "总磷", "＜0.05", "mg/L", "周敏"),
        )
    )
    report = laboratory.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (4, 0)
    rows = {row["factor_code"]: row for row in laboratory.results.live().to_pylist()}
    assert {row["sample_id"] for row in rows.values()} == {"W20261116-03"}
    assert rows["w01018"]["result_value"] == 41.0
    assert rows["w01001"]["unit_code"] == "1"
    assert rows["w21011"]["is_below_detection"] is True
    assert rows["w21003"]["sampled_at_utc"] == datetime(2026, 11, 16, 5, 30, tzinfo=UTC)


WRONG = {
    "negative": ({"result_value": -12}, "不小于|0 … |范围", "expected 0 … 100000"),
    "no number": ({"result_value": "约1.2"}, "无法识别", "cannot be read"),
    "unknown outlet": ({"outlet_id": "DW009"}, "未登记", "not registered"),
    "future": ({"sampled_at_utc": datetime(2026, 11, 19, 9, 0)}, "晚于现在", "in the future"),  # noqa: DTZ001
    "no year": ({"sampled_at_utc": "11.16 9:30"}, "无法识别", "four digits"),
    "no sample": ({"sample_id": None}, "样品编号为空", "Sample is empty"),
    "unknown factor": ({"factor_code": "石油类"}, "不符合要求", "expected w01001"),
    "foreign unit": ({"result_value": "38 g/kg"}, "不在合同中", "not in the contract"),
    "two units": ({"result_value": "38 mg/L", "unit_code": "1"}, "单位矛盾", "two units"),
    "no unit": ({"result_value": 38}, "没有单位", "no unit"),
    "half a correction": ({"correction_reason": "录入错误"}, "更正人", "its author"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_quarantined_explained_and_a_finding_while_the_good_one_lands(
    case, laboratory, template
) -> None:
    change, reason_zh, reason_en = WRONG[case]
    wrong = GOOD | {"sample_id": "W20261116-02"} | change
    laboratory.drop(template(GOOD, wrong))
    report = laboratory.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, 1)
    (row,) = laboratory.quarantine
    assert row["row_number"] == FIRST_DATA_ROW + 1
    assert any(part in row["reasons_zh"] for part in reason_zh.split("|"))
    assert reason_en in row["reasons_en"]
    assert "监测结果" in row["row_json"]
    (finding,) = laboratory.findings.values()
    assert f"第 {FIRST_DATA_ROW + 1} 行" in finding["cause_zh"]
    assert f"row {FIRST_DATA_ROW + 1}" in finding["cause_en"]
    verdicts = laboratory.answers("sheet")
    assert [verdict[0] for verdict in verdicts] == [LANDED, REFUSED]
    assert verdicts[1][1:] == (row["reasons_zh"], row["reasons_en"])


def test_a_corrected_row_closes_the_finding_of_the_refused_one(laboratory, template) -> None:
    laboratory.drop(template(GOOD | {"result_value": -1}))
    laboratory.take_in()
    assert laboratory.findings
    laboratory.drop(template(GOOD), "again.xlsx")
    laboratory.take_in()
    assert laboratory.findings == {}
    assert len(laboratory.quarantine) == 1, "what was refused stays on record"


def test_the_same_file_twice_is_recognised_whatever_its_name(laboratory, template) -> None:
    content = laboratory.drop(template(GOOD)).read_bytes()
    laboratory.take_in()
    second = laboratory.drop(content, "other name.xlsx")
    report = laboratory.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (0, 0)
    assert not second.exists()
    (path,) = (laboratory.context.site_dir / "manual_results" / "lab_manual").glob("other name.*")
    assert "sheet.xlsx" in load_workbook(path).active["B3"].value


def test_a_correction_supersedes_and_the_earlier_result_stays(laboratory, template) -> None:
    laboratory.drop(template(GOOD | {"result_value": "3.8 mg/L"}))
    laboratory.take_in()
    right = GOOD | {"correction_reason": "稀释倍数录入错误", "correction_author": "周敏"}
    laboratory.drop(template(right), "correction.xlsx")
    laboratory.take_in()
    assert laboratory.present() == {"W20261116-01|w01018": 38.0}
    raw = tables.read(laboratory.context.lake.table("raw", "raw_lab_manual__water_results")).to_pylist()
    assert sorted((row["_extract_sequence"] > 2, row["result_value"]) for row in raw) == [
        (False, 3.8),
        (True, 38.0),
    ]


def test_a_result_reported_again_without_a_reason_is_quarantined(laboratory, template) -> None:
    laboratory.drop(template(GOOD))
    laboratory.take_in()
    laboratory.drop(template(GOOD | {"result_value": "61 mg/L"}), "second.xlsx")
    assert laboratory.take_in().rows_quarantined == 1
    assert laboratory.present() == {"W20261116-01|w01018": 38.0}
    assert "更正原因" in laboratory.quarantine[0]["reasons_zh"]


def test_unchanged_rows_handed_in_again_with_a_corrected_one_are_known_not_wrong(
    laboratory, template
) -> None:
    wrong = GOOD | {"sample_id": "W20261116-02", "result_value": "?"}
    laboratory.drop(template(GOOD, wrong))
    laboratory.take_in()
    laboratory.drop(template(GOOD, wrong | {"result_value": "40 mg/L"}), "second.xlsx")
    report = laboratory.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, 0)
    assert [row[0] for row in laboratory.answers("second")] == [KNOWN, LANDED]


def test_contradicting_rows_of_one_file_are_both_refused(laboratory, template) -> None:
    laboratory.drop(template(GOOD, GOOD | {"result_value": "39 mg/L"}, GOOD | {"sample_id": "W20261116-02"}))
    report = laboratory.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, 2)


def bomb() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (workbook_parts.MAX_CONTENT_BYTES + 1))
    return target.getvalue()


def entities() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("xl/workbook.xml", '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>')
    return target.getvalue()


def merged_without_end() -> bytes:
    whole, target = BytesIO(), BytesIO()
    Workbook().save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(target, "w") as archive:
        for part in old.infolist():
            text = old.read(part).replace(
                b"<sheetData />", b"<sheetData/><mergeCells><mergeCell ref='A1:XFD999999'/></mergeCells>"
            )
            archive.writestr(part.filename, text)
    return target.getvalue()


def half_a_workbook() -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook>")
    return target.getvalue()


def huge_sheet() -> bytes:
    book = Workbook()
    book.active.cell(workbook_file.MAX_ROWS + 1, 1, "x")
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def no_headings() -> bytes:
    book = Workbook()
    book.active.append(["whatever", "this", "is"])
    target = BytesIO()
    book.save(target)
    return target.getvalue()


HOSTILE = {
    "text": lambda: b"not a workbook",
    "empty": lambda: b"",
    "old binary form": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "bomb": bomb,
    "entities": entities,
    "half": half_a_workbook,
    "merged without end": merged_without_end,
    "huge sheet": huge_sheet,
    "no headings": no_headings,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_or_foreign_file_is_refused_with_a_reason_and_stops_nobody_else(
    case, laboratory, template
) -> None:
    path = laboratory.drop(HOSTILE[case](), "a.xlsx")
    laboratory.drop(template(GOOD), "b.xlsx")
    assert laboratory.take_in().rows_upserted == 1
    (row,) = laboratory.quarantine
    assert row["row_number"] == 0
    assert row["reasons_zh"] != row["reasons_en"]
    (finding,) = laboratory.findings.values()
    assert finding["kind"] == "refused_file"
    assert not path.exists()


def test_an_entry_that_is_no_file_is_a_finding_until_it_is_gone(laboratory) -> None:
    inbox = laboratory.context.site_dir / "manual_inbox" / "lab_manual"
    inbox.mkdir(parents=True)
    link = inbox / "link.xlsx"
    link.symlink_to("/etc/hostname")
    laboratory.take_in()
    (finding,) = laboratory.findings.values()
    assert finding["kind"] == "unreadable_inbox_entry"
    link.unlink()
    laboratory.take_in()
    assert laboratory.findings == {}


def test_a_workbook_that_is_still_being_copied_is_left_until_it_is_whole(
    laboratory, template, monkeypatch
) -> None:
    path = laboratory.drop(template(GOOD))
    content = path.read_bytes()
    path.write_bytes(content[:2_000])
    monkeypatch.setattr(drop_folder.time, "sleep", lambda _seconds: path.write_bytes(content[:3_000]))
    laboratory.take_in()
    assert path.read_bytes() == content[:3_000]
    assert laboratory.quarantine == []
    path.write_bytes(content)
    assert laboratory.take_in().rows_upserted == 1


def test_a_template_of_an_older_form_is_refused(laboratory, template) -> None:
    book = template(GOOD)
    book["_contract"]["B2"] = "0.9.0"
    laboratory.drop(book)
    laboratory.take_in()
    assert "新模板" in laboratory.quarantine[0]["reasons_zh"]


@pytest.mark.parametrize("step", ["land_quarantine", "answer", "archive"])
def test_a_run_that_dies_between_its_steps_is_finished_by_the_next(
    step, laboratory, template, monkeypatch
) -> None:
    class DiedError(Exception):
        pass

    def die(*_args: object) -> None:
        raise DiedError

    laboratory.drop(template(GOOD, GOOD | {"sample_id": "W20261116-02", "result_value": "?"}))
    with monkeypatch.context() as patch:
        patch.setattr(f"ingestion.connectors.workbook.{step}", die)
        with pytest.raises(DiedError):
            laboratory.take_in()
    laboratory.take_in()
    raw = tables.read(laboratory.context.lake.table("raw", "raw_lab_manual__water_results"))
    assert raw.num_rows == 1
    assert len(laboratory.quarantine) == 1
    assert len(laboratory.findings) == 1
    assert workbook_archive.inbox_files(laboratory.context.site_dir / "manual_inbox" / "lab_manual") == []


def test_an_empty_inbox_still_makes_both_tables(laboratory) -> None:
    laboratory.take_in()
    for table in ("water_results", "quarantine"):
        path = laboratory.context.lake.table("raw", f"raw_lab_manual__{table}")
        assert tables.read(path).num_rows == 0


def test_results_may_be_sampled_up_to_this_very_moment(laboratory, template) -> None:
    local = (NOW + timedelta(hours=8)).replace(tzinfo=None)
    laboratory.drop(template(GOOD | {"sampled_at_utc": local}))
    assert laboratory.take_in().rows_upserted == 1
