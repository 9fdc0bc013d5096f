"""Files end to end: whatever form and encoding, dropped → judged → landed, set aside with reasons, moved."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from ingestion.change_log import ChangeLog
from ingestion.errors import PermanentError, RegistryError, ShrunkenSourceError
from ingestion.files import drop_folder
from ingestion.registry import load_registry
from orchestration.assets.extracts import extract_assets
from tests.fakes.file_site import HEADINGS, SYSTEM, TICKETS, FileSite, column, contract_text, make_file_site

ZH = ("磅单号", "过磅时间", "车牌号", "净重", "轴数", "是否进厂", "应付日期", "状态")
GOOD = ("T-001", "2026-11-16 09:30:00", "苏A·12345", "12345.678", "6", "是", "2026-12-01", "open")
SECOND = ("T-002", "2026/11/16 10:00", "苏B·99", "1,000", "2", "否", "2026年12月2日", "已结")
EXPECTED = {
    "ticket_no": "T-001",
    "weighed_at_utc": datetime(2026, 11, 16, 1, 30, tzinfo=UTC),
    "plate_no": "苏A·12345",
    "net_weight_kg": Decimal("12345.678"),
    "axle_count": 6,
    "is_inbound": True,
    "due_date": date(2026, 12, 1),
    "status_code": "open",
}


@pytest.fixture
def site(tmp_path: Path) -> FileSite:
    return make_file_site(tmp_path)


def delimited(*rows: tuple[str, ...], headings: tuple[str, ...] = ZH, delimiter: str = ",") -> str:
    target = StringIO()
    writer = csv.writer(target, delimiter=delimiter)
    writer.writerows([headings, *rows])
    return target.getvalue()


def workbook(
    *rows: tuple[Any, ...], headings: tuple[Any, ...] = ZH, change: Callable[[Any], None] | None = None
) -> bytes:
    book = Workbook()
    for row in (headings, *rows):
        book.active.append(row)
    if change:
        change(book.active)
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in HEADINGS}


ENCODINGS = ("utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_is_found_out(encoding: str, site: FileSite) -> None:
    site.drop("a.csv", delimited(GOOD, SECOND).encode(encoding))
    assert site.take_in().rows_upserted == 2
    assert values(site.present()["T-001"]) == EXPECTED
    second = site.present()["T-002"]
    assert (second["net_weight_kg"], second["status_code"], second["due_date"]) == (
        Decimal("1000.000"), "closed", date(2026, 12, 2),
    )  # fmt: skip
    assert site.quarantine == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "^", "\x01"], ids=repr)
def test_every_delimiter_is_found_out_though_another_is_declared(delimiter: str, tmp_path: Path) -> None:
    site = make_file_site(tmp_path, layouts={"tickets": {"delimiter": ";"}})
    first = (*GOOD[:3], "12345.678", *GOOD[4:])
    site.drop("a.txt", delimited(first, delimiter=delimiter).encode())
    site.take_in()
    assert values(site.present()["T-001"]) == EXPECTED


def test_titles_units_other_words_and_unknown_columns_are_understood(tmp_path: Path) -> None:
    site = make_file_site(tmp_path, layouts={"tickets": {"headings": {"plate_no": ["车号"]}}})
    headings = (
        "Ticket *",
        "weighed_at_utc",
        "车号",
        "净重（kg）",
        "轴 数",
        "是否进厂",
        "应付日期",
        "状态",
        "司机",
    )
    text = "地磅日报表\n导出时间,2026-11-16\n\n" + delimited((*GOOD, "王"), headings=headings)
    site.drop("a.csv", text.encode("gbk"))
    report = site.take_in()
    assert values(site.present()["T-001"]) == EXPECTED
    assert any("司机" in warning for warning in report.warnings)
    assert site.raw()[0]["_source_row"] == 5


def test_a_foreign_unit_in_a_heading_refuses_the_file(site: FileSite) -> None:
    site.drop("a.csv", delimited(GOOD, headings=(*ZH[:3], "净重(t)", *ZH[4:])).encode())
    site.take_in()
    assert site.present() == {}
    (row,) = site.quarantine
    assert "单位" in row["reasons_zh"]
    assert "convert" in row["reasons_en"]


WRONG: dict[str, tuple[tuple[str, ...], str, str]] = {
    "no number": ((*GOOD[:3], "约12", *GOOD[4:]), "不是数字", "is no number"),
    "decimal comma": ((*GOOD[:3], "12,5", *GOOD[4:]), "不是数字", "is no number"),
    "too exact": ((*GOOD[:3], "1.23456", *GOOD[4:]), "小数多于 3 位", "digits after the point"),
    "below": ((*GOOD[:3], "-1", *GOOD[4:]), "不符合要求", "expected 0"),
    "not a number": ((*GOOD[:3], "NaN", *GOOD[4:]), "不是数字", "is no number"),
    "half an axle": ((*GOOD[:4], "2.5", *GOOD[5:]), "不是整数", "no whole number"),
    "too many axles": ((*GOOD[:4], "99999999999", *GOOD[5:]), "超出", "larger than"),
    "maybe": ((*GOOD[:5], "也许", *GOOD[6:]), "是 或 否", "neither yes nor no"),
    "two ways of a date": ((*GOOD[:6], "01/02/2026", GOOD[7]), "无法识别", "four digits"),
    "no such day": ((*GOOD[:6], "2026-02-30", GOOD[7]), "不存在", "does not exist"),
    "day of a table": ((*GOOD[:6], "45987", GOOD[7]), "无法识别", "four digits"),
    "no key": (("", *GOOD[1:]), "磅单号为空", "Ticket is empty"),
    "no time": ((GOOD[0], "NULL", *GOOD[2:]), "过磅时间为空", "Weighed at is empty"),
    "unknown code": ((*GOOD[:7], "half"), "不符合要求", "open (Open)"),
    "form": (("t 1", *GOOD[1:]), "格式", "matches"),
    "formula error": ((*GOOD[:3], "#REF!", *GOOD[4:]), "公式错误", "error of a formula"),
    "control character": ((*GOOD[:2], "a\x07b", *GOOD[3:]), "控制字符", "control characters"),
    "a cell too few": (GOOD[:7], "7 个单元格", "7 cells"),
    "cells too many": ((*GOOD, "x", "y"), "10 个单元格", "10 cells"),
}


def test_wrong_rows_are_set_aside_with_their_reasons_while_good_ones_land(site: FileSite) -> None:
    site.drop("a.csv", delimited(SECOND, *(row for row, _, _ in WRONG.values())).encode())
    report = site.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, len(WRONG))
    assert list(site.present()) == ["T-002"]
    (returned,) = (site.folder / "quarantine").glob("a.*.rows.csv")
    told = list(csv.reader(StringIO(returned.read_text(encoding="utf-8-sig"))))[1:]
    for place, case, row, line in zip(range(3, 100), WRONG, site.quarantine, told, strict=False):
        _, reason_zh, reason_en = WRONG[case]
        assert row["row_number"] == place, case
        assert reason_zh in row["reasons_zh"], case
        assert reason_en in row["reasons_en"], case
        assert line[:3] == [str(place), row["reasons_zh"], row["reasons_en"]], case


def test_refused_rows_come_back_corrected_in_the_file_that_told_them(site: FileSite) -> None:
    site.drop("a.csv", delimited(SECOND, (*GOOD[:3], "十二", *GOOD[4:])).encode())
    site.take_in()
    assert site.findings
    (returned,) = (site.folder / "quarantine").glob("a.*.rows.csv")
    corrected = returned.read_text(encoding="utf-8-sig").replace("十二,", "12345.678,")
    site.drop("corrected.csv", corrected.encode("utf-8-sig"))
    assert site.take_in().rows_upserted == 1
    assert values(site.present()["T-001"]) == EXPECTED
    assert site.findings == {}


def test_an_open_quote_costs_its_own_line_and_no_other(site: FileSite) -> None:
    lines = delimited(*((f"T-{number:03}", *GOOD[1:]) for number in range(1, 200))).splitlines()
    lines[50] = 'T-050,2026-11-16 09:30:00,"苏A,1,1,是,,open'
    lines[199] = '"T-199,2026-11-16 09:30:00,x,1,1,是,,open'
    site.drop("a.csv", "\r\n".join(lines).encode())
    report = site.take_in()
    assert report.rows_upserted == 197
    assert [row["row_number"] for row in site.quarantine] == [51, 200]


def test_a_cell_may_hold_lines_and_a_damaged_byte_costs_its_row(site: FileSite) -> None:
    text = delimited((*GOOD[:2], "两\n行", *GOOD[3:]), ("T-003", *GOOD[1:])).encode("gbk")
    site.drop("a.csv", text.replace("苏A".encode("gbk"), b"\xff\xff"))
    site.take_in()
    assert site.present()["T-001"]["plate_no"] == "两\n行"
    (row,) = site.quarantine
    assert "无法解码" in row["reasons_zh"]
    assert "\\xff" in row["row_json"].replace("\\\\", "\\")


def test_a_workbook_gives_dates_numbers_and_calculated_values(site: FileSite) -> None:
    local = datetime(2026, 11, 16, 9, 30)  # noqa: DTZ001  (people write plant time)

    def change(sheet: Any) -> None:
        sheet.insert_rows(1, amount=3)
        sheet["A1"] = "地磅日报"
        sheet.merge_cells("A1:H1")
        sheet["A3"], sheet["D3"] = "车辆", "净重"
        sheet.merge_cells("A3:C3")
        sheet.merge_cells("D3:D4")
        sheet.append(["T-004", local, None, "=1+1", 1, "是", None, "open"])

    rows = ((("T-001", local, "苏A·12345", 12345.678, 6, True, 46357, "open")),)
    site.drop("a.xlsx", workbook(*rows, change=change))
    site.take_in()
    assert values(site.present()["T-001"]) == EXPECTED
    (row,) = site.quarantine
    assert "没有计算结果的公式" in row["reasons_zh"]
    assert "calculated" in row["reasons_en"]


def test_json_of_every_kind(tmp_path: Path) -> None:
    record = dict(zip(HEADINGS, GOOD, strict=True)) | {"net_weight_kg": 12345.678, "is_inbound": True}
    bad = record | {"ticket_no": "T-009", "net_weight_kg": {"a": 1}}
    forms = {
        "list.json": json.dumps([record, bad]),
        "inside.json": json.dumps({"count": 2, "value": [record, bad]}),
        "lines.json": "\n".join(map(json.dumps, (record, bad))),
    }
    for number, (name, text) in enumerate(forms.items()):
        site = make_file_site(tmp_path / str(number))
        site.drop(name, text.encode("utf-8-sig"))
        assert site.take_in().rows_upserted == 1
        assert values(site.present()["T-001"]) == EXPECTED
        assert "不是数字" in site.quarantine[0]["reasons_zh"]
        assert site.quarantine[0]["row_number"] == 2


def test_b2mml_lots_with_properties_and_what_stands_around_them(tmp_path: Path) -> None:
    columns = (
        column("lot_id", "string", "Lot", "批次", physicalName="ID", required=True, primaryKey=True,
               primaryKeyPosition=1),
        column("plant_id", "string", "Plant", "工厂", physicalName="../../Location/EquipmentID"),
        column("quantity_kg", "number", "Quantity", "数量", own={"unit": "kg"},
               physicalName="Quantity/QuantityString"),
        column("unit_text", "string", "Unit", "单位文本", physicalName="Quantity/UnitOfMeasure"),
        column("density_kg_m3", "number", "Density", "密度", own={"unit": "kg/m3"},
               physicalName="MaterialLotProperty[ID='Density']/Value/ValueString"),
    )  # fmt: skip
    lots = "".join(
        f"""<b:MaterialLot><b:ID>{lot}</b:ID><b:Quantity><b:QuantityString>{quantity}</b:QuantityString>
        <b:UnitOfMeasure>kg</b:UnitOfMeasure></b:Quantity>
        <b:MaterialLotProperty><b:ID>Colour</b:ID><b:Value><b:ValueString>白</b:ValueString></b:Value>
        </b:MaterialLotProperty><b:MaterialLotProperty><b:ID>Density</b:ID><b:Value>
        <b:ValueString>{density}</b:ValueString></b:Value></b:MaterialLotProperty></b:MaterialLot>"""
        for lot, quantity, density in (("L1", "10.5", "998"), ("L2", "ten", "1"), ("L3", "3", "997.5"))
    )
    text = (
        '<?xml version="1.0" encoding="GBK"?><b:MaterialInformation xmlns:b="http://www.mesa.org/xml/B2MML">'
        f"<b:Location><b:EquipmentID>甲厂</b:EquipmentID></b:Location><b:List>{lots}</b:List>"
        "</b:MaterialInformation>"
    )
    site = make_file_site(tmp_path, {"lots": contract_text("lots", columns, source_name="MaterialLot")})
    site.drop("lots.xml", text.encode("gbk"))
    site.take_in("lots")
    found = {
        key: (r["plant_id"], r["quantity_kg"], r["density_kg_m3"]) for key, r in site.present("lots").items()
    }
    assert found == {"L1": ("甲厂", 10.5, 998.0), "L3": ("甲厂", 3.0, 997.5)}
    assert "不是数字" in site.quarantine[0]["reasons_zh"]


@pytest.mark.parametrize("width_in", ["characters", "bytes"])
def test_fixed_width_by_letters_and_by_bytes(width_in: str, tmp_path: Path) -> None:
    plate = 10 if width_in == "characters" else 12
    fields = {
        "ticket_no": [1, 8],
        "weighed_at_utc": [9, 20],
        "plate_no": [29, plate],
        "net_weight_kg": [29 + plate, 12],
    }
    layout = {"form": "fixed_width", "fields": fields, "width_in": width_in, "has_headings": False}
    site = make_file_site(tmp_path, layouts={"tickets": layout})
    lines = [
        b"T-001   2026-11-16 09:30:00 "
        + text.encode("gbk").ljust(plate if width_in == "bytes" else 0)
        + b"   12345.678"
        for text in (GOOD[2] if width_in == "bytes" else f"{GOOD[2]:<10}",)
    ]
    lines += [b"T-002   short", b"\x1a"]
    site.drop("a.txt", b"\r\n".join(lines))
    site.take_in()
    row = site.present()["T-001"]
    assert (row["plate_no"], row["net_weight_kg"]) == (GOOD[2], Decimal("12345.678"))
    assert "过磅时间" in site.quarantine[0]["reasons_zh"]


def test_files_without_headings_stand_in_the_contracts_order(tmp_path: Path) -> None:
    site = make_file_site(tmp_path, layouts={"tickets": {"has_headings": False}})
    site.drop("a.csv", delimited(SECOND, headings=GOOD).encode())
    site.take_in()
    assert set(site.present()) == {"T-001", "T-002"}


def test_the_same_file_twice_is_one_whatever_its_name(site: FileSite) -> None:
    content = delimited(GOOD).encode()
    site.drop("a.csv", content)
    site.take_in()
    site.drop("a.csv", delimited(("T-001", *SECOND[1:])).encode())
    site.take_in()
    site.drop("b.csv", content)
    assert site.take_in().rows_upserted == 0
    assert site.present()["T-001"]["axle_count"] == 2, "an old file handed in again does not undo a newer one"
    assert list((site.folder / "inbox").iterdir()) == []
    assert {row["_source_file"].split(".")[0] for row in site.raw()} == {"a"}


def test_a_file_is_taken_only_once_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_file_site(tmp_path, layouts={"tickets": {"settle_s": 30}})
    growing, content = site.drop("a.csv", delimited(GOOD).encode()), delimited(SECOND).encode()
    site.drop("b.csv", content)
    site.drop("c.csv.part", content)

    def somebody_writes(_seconds: float) -> None:
        growing.write_bytes(growing.read_bytes() + b"T-00")

    monkeypatch.setattr(drop_folder.time, "sleep", somebody_writes)
    site.take_in()
    assert set(site.present()) == {"T-002"}
    growing.write_bytes(delimited(GOOD).encode())
    monkeypatch.setattr(drop_folder.time, "sleep", lambda _seconds: None)
    site.take_in()
    assert set(site.present()) == {"T-001", "T-002"}
    assert [path.name for path in (site.folder / "inbox").iterdir()] == ["c.csv.part"]


def test_a_marker_says_that_a_file_is_whole_and_goes_with_it(tmp_path: Path) -> None:
    site = make_file_site(tmp_path, layouts={"tickets": {"needs_marker": True}})
    path = site.drop("a.csv", delimited(GOOD).encode())
    site.take_in()
    assert site.present() == {}
    path.with_name("a.csv.ok").touch()
    site.take_in()
    assert set(site.present()) == {"T-001"}
    assert list((site.folder / "inbox").iterdir()) == []


def test_a_refused_file_is_moved_with_its_reason_and_tried_again_when_dropped_again(tmp_path: Path) -> None:
    site = make_file_site(tmp_path, layouts={"tickets": {"pattern": "tickets_*"}})
    site.drop("other.csv", delimited(GOOD).encode())
    site.drop("tickets_1.csv", b"a,b\n1,2\n")
    site.drop("tickets_2.csv", delimited(SECOND).encode())
    site.take_in()
    assert set(site.present()) == {"T-002"}
    told = {path.name.split(".")[0]: path for path in (site.folder / "quarantine").glob("*.reason.txt")}
    assert set(told) == {"other", "tickets_1"}
    assert "tickets_*" in told["other"].read_text(encoding="utf-8-sig")
    assert "没有找到表头" in told["tickets_1"].read_text(encoding="utf-8-sig")
    assert {row["kind"] for row in site.findings.values()} == {"refused_file"}
    site.drop("tickets_1.csv", delimited(GOOD).encode())
    site.take_in()
    assert len(site.findings) == 1, "the finding of a file of this name is closed once one is read"


def test_contradicting_rows_are_refused_and_repeated_ones_are_one(site: FileSite) -> None:
    other = (*GOOD[:4], "5", *GOOD[5:])
    site.drop("a.csv", delimited(GOOD, SECOND, other, SECOND).encode())
    report = site.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, 2)
    assert [row["row_number"] for row in site.quarantine] == [2, 4]
    assert "第 2、4 行" in site.quarantine[0]["reasons_zh"]


def test_with_a_cursor_the_latest_word_wins_in_whatever_order_files_come(tmp_path: Path) -> None:
    text = contract_text("tickets", TICKETS, "cursor", cursorColumn="weighed_at_utc", cursorOverlap=60)
    site = make_file_site(tmp_path, {"tickets": text})
    later = ("T-001", "2026-11-16 11:00:00", *GOOD[2:])
    site.drop("a.csv", delimited(later, GOOD).encode())
    site.take_in()
    site.drop("b.csv", delimited(GOOD, ("T-005", *GOOD[1:])).encode())
    site.take_in()
    assert site.present()["T-001"]["weighed_at_utc"] == datetime(2026, 11, 16, 3, tzinfo=UTC)
    assert set(site.present()) == {"T-001", "T-005"}
    assert site.quarantine == []


def test_a_complete_file_deletes_what_is_gone_but_never_for_a_row_it_refused(tmp_path: Path) -> None:
    site = make_file_site(tmp_path, {"tickets": contract_text("tickets", TICKETS, "snapshot_diff")})
    rows = [(f"T-{number:03}", *GOOD[1:]) for number in range(20)]
    site.drop("a.csv", delimited(*rows).encode())
    site.take_in()
    site.drop("b.csv", delimited(*rows[1:]).encode())
    assert site.take_in().rows_deleted == 1
    site.drop("c.csv", delimited(*rows[2:], ("T-001", "bad", *GOOD[2:])).encode())
    site.take_in()
    assert "T-001" in site.present()
    path = site.drop("d.csv", delimited(*rows[:3]).encode())
    with pytest.raises(ShrunkenSourceError):
        site.take_in()
    assert path.exists()
    assert len(site.present()) == 19


def test_text_that_a_spreadsheet_would_calculate_lands_as_written_and_is_told_harmless(
    site: FileSite,
) -> None:
    formula = '=cmd|"/c calc"!A1'
    site.drop(
        "a.csv", delimited((*GOOD[:2], formula, *GOOD[3:]), ("T-002", "bad", formula, *GOOD[3:])).encode()
    )
    site.take_in()
    assert site.present()["T-001"]["plate_no"] == formula
    (returned,) = (site.folder / "quarantine").glob("a.*.rows.csv")
    cells = [cell for row in csv.reader(StringIO(returned.read_text(encoding="utf-8-sig"))) for cell in row]
    assert f"'{formula}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]


def test_a_run_that_dies_between_its_steps_is_finished_by_the_next(
    site: FileSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.drop("a.csv", delimited(GOOD, ("T-002", "bad", *GOOD[2:])).encode())
    for step in ("land_quarantine", "render_rows", "DropFolder.finish"):
        with monkeypatch.context() as patch:
            patch.setattr(f"ingestion.files.intake.{step}", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                site.take_in()
    site.take_in()
    assert len(site.raw()) == 1
    assert len(site.quarantine) == 1
    assert list((site.folder / "inbox").iterdir()) == []


def test_a_system_of_files_without_a_table_for_refused_rows_is_no_system(
    site: FileSite, tmp_path: Path
) -> None:
    (tmp_path / "systems" / SYSTEM / "quarantine.odcs.yaml").unlink()
    with pytest.raises(RegistryError, match=r"quarantine\.odcs\.yaml"):
        load_registry(tmp_path)


def test_what_files_yml_gets_wrong_is_said(tmp_path: Path) -> None:
    site = make_file_site(tmp_path)
    (tmp_path / "systems" / SYSTEM / "files.yml").write_text("schema_version: 1\ntables: {other: {}}\n")
    with pytest.raises(PermanentError, match=r"\['other'\].*\['tickets'\]"):
        site.take_in()
    assert ChangeLog(site.system.contract("tickets"), site.context.lake).is_empty


def test_a_returned_csv_opens_in_a_spreadsheet_as_text(site: FileSite) -> None:
    site.drop("a.xlsx", workbook(("T-001", "bad", "@SUM(1)", 1)))
    site.take_in()
    assert load_workbook(next((site.folder / "done").iterdir())).active["A2"].value == "T-001"
    (returned,) = (site.folder / "quarantine").glob("*.rows.csv")
    assert "'@SUM(1)" in returned.read_text(encoding="utf-8-sig")


def test_a_system_of_files_has_its_assets(site: FileSite) -> None:
    location: Any = SimpleNamespace(extracted_systems=(site.system,), settings=None)
    nodes = [spec for asset in extract_assets(location) for spec in getattr(asset, "specs", [asset])]
    specs = {spec.key.path[-1]: spec for spec in nodes}
    assert set(specs) >= {"raw_weighbridge__tickets", "raw_weighbridge__quarantine"}
    assert "file" in specs["raw_weighbridge__tickets"].kinds
    assert specs["raw_weighbridge__tickets"].owners == ["team:warehouse"]
