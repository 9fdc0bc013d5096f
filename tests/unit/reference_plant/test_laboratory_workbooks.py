"""The laboratory's workbooks, read back the way a steward's inbox finds them."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from contracts.template import DATA_SHEET, FIRST_DATA_ROW
from reference_plant.init import PlantOptions, make_site
from reference_plant.laboratory.handover import Messenger, write_workbooks
from reference_plant.laboratory.old_sheet import HEADINGS
from reference_plant.laboratory.results import COD, TN, Laboratory, Sample
from reference_plant.laboratory.schedule import Content, handovers, rows_of
from reference_plant.plant.simulation import load_plant

DAY = date(2026, 11, 16)
MIDNIGHT = datetime(2026, 11, 15, 16, tzinfo=UTC)


@pytest.fixture(scope="module")
def made_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("laboratory") / "site"
    make_site(root, PlantOptions())
    return root


@pytest.fixture(scope="module")
def inbox(made_site: Path) -> Path:
    write_workbooks(made_site, MIDNIGHT + timedelta(hours=26.1))
    return made_site / "manual_inbox/lab_manual"


def template_rows(path: Path) -> list[dict[str, object]]:
    sheet = load_workbook(path)[DATA_SHEET]
    assert isinstance(sheet, Worksheet)
    headings = [str(cell.value).removesuffix(" *") for cell in sheet[1]]
    rows = sheet.iter_rows(min_row=FIRST_DATA_ROW, values_only=True)
    return [dict(zip(headings, row, strict=True)) for row in rows if any(row)]


def test_workbooks_arrive_at_their_plant_times_and_once(made_site: Path, tmp_path: Path) -> None:
    for name in ("plant.json", "site.yml", "tags"):
        (tmp_path / name).symlink_to(made_site / name)
    messenger = Messenger(tmp_path)
    moments = [MIDNIGHT + timedelta(hours=hours) for hours in (11, 12, 12, 15.5, 24, 26.1)]
    counts = [len(messenger.deliver(moment)) for moment in moments]
    assert counts == [0, 1, 0, 1, 2, 1]
    for path in (tmp_path / "manual_inbox/lab_manual").iterdir():
        path.unlink()
    assert Messenger(tmp_path).deliver(moments[-1]) == [], "taken from the inbox is not due again"


def test_the_late_sheet_comes_only_where_its_scenario_is_on(made_site: Path, tmp_path: Path) -> None:
    plant = json.loads((made_site / "plant.json").read_text())
    for name in ("site.yml", "tags"):
        (tmp_path / name).symlink_to(made_site / name)
    (tmp_path / "plant.json").write_text(json.dumps(plant | {"scenarios": []}))
    found = handovers(load_plant(tmp_path), DAY, MIDNIGHT + timedelta(hours=27))
    assert Content.LATE not in [handover.content for handover in found]


def test_a_filled_template_holds_all_items_in_plant_time(inbox: Path) -> None:
    rows = template_rows(inbox / "water_20261116_am.xlsx")
    assert {row["样品编号"] for row in rows} == {"W20261116-01"}
    assert {row["采样时间"] for row in rows} == {datetime(2026, 11, 16, 9, 30)}  # noqa: DTZ001
    assert [row["监测因子"] for row in rows] == ["w01001", "w01018", "w21003", "w21011", "w21001"]
    assert {row["单位"] for row in rows} == {"1", "mg/L"}


def test_the_correction_names_reason_and_author_and_moves_the_point_back(inbox: Path) -> None:
    morning = template_rows(inbox / "water_20261116_am.xlsx")
    [wrong] = [row for row in morning if row["监测因子"] == "w01018"]
    [right] = template_rows(inbox / "water_20261116_correction.xlsx")
    assert right["监测结果"] == pytest.approx(float(str(wrong["监测结果"])) * 10)
    assert (right["样品编号"], right["更正人"]) == ("W20261116-01", "周敏")
    assert right["更正原因"] == "稀释倍数录入错误"


def test_the_wrong_rows_are_wrong_each_in_its_own_way(inbox: Path) -> None:
    rows = template_rows(inbox / "water_20261116_pm.xlsx")
    good, wrong = rows[:5], rows[5:]
    assert {row["样品编号"] for row in good} == {"W20261116-05"}
    assert [(row["样品编号"], row["排放口编号"], row["监测结果"]) for row in wrong] == [
        ("W20261116-06", "DW001", -12.0),
        ("W20261116-06", "DW001", "约1.2"),
        ("W20261116-07", "DW009", 40.0),
        ("W20261116-08", "DW001", 41.0),
        ("W20261116-01", "DW001", 61.0),
    ]
    assert wrong[3]["采样时间"] == datetime(2026, 11, 19, 15, 30)  # noqa: DTZ001
    assert wrong[4]["更正原因"] is None


def old_sheet(inbox: Path) -> Worksheet:
    sheet = load_workbook(inbox / "废水监测_20261116.xlsx").active
    assert isinstance(sheet, Worksheet)
    return sheet


def test_the_old_sheet_has_titles_groups_and_merged_cells(inbox: Path) -> None:
    sheet = old_sheet(inbox)
    assert tuple(cell.value for cell in sheet[4]) == HEADINGS
    merged = {str(area) for area in sheet.merged_cells.ranges}
    assert {"A1:J1", "A2:J2", "A3:C3", "D3:G3", "A5:A9", "B5:B9", "C5:C9"} <= merged
    assert sheet["A6"].value is None, "a merged cell holds its value once"


def test_the_old_sheet_writes_units_limits_and_dates_as_people_do(inbox: Path) -> None:
    sheet = old_sheet(inbox)
    results = [str(sheet.cell(row, 5).value) for row in range(5, 16)]
    assert any(text.endswith(" mg/L") for text in results)
    assert any(text.replace(".", "").isdigit() for text in results)
    assert "<0.05 mg/L" in results
    assert "<0.025" in results
    dates = [sheet.cell(row, 3).value for row in (5, 10, 15)]
    assert dates == ["2026年11月16日 13:30", "2026/11/16 10:20", "11.16 14:40"]


def test_the_laboratory_finds_what_flows_at_the_outlet(made_site: Path) -> None:
    plant = load_plant(made_site)
    sample = Sample("W20261116-09", "DW001", datetime(2026, 11, 16, 13, 0, tzinfo=plant.zone))
    laboratory = Laboratory(plant)
    for item in (COD, TN):
        begin = sample.taken_at - timedelta(minutes=10)
        around = plant.produced([f"DW001.{item.signal}"], begin, sample.taken_at)
        values = around.column("value_number").to_pylist()
        assert laboratory.value(sample, item) == pytest.approx(sum(values) / len(values), rel=0.15)


def test_a_bottle_is_filled_while_the_instrument_is_out_of_order(made_site: Path) -> None:
    plant = load_plant(made_site)
    sample = Sample("W20261116-77", "DA001", datetime(2026, 11, 16, 20, 30, tzinfo=plant.zone))
    dust = replace(COD, signal="PM", decimals=2)
    measured = plant.produced(["DA001.PM"], sample.taken_at - timedelta(minutes=10), sample.taken_at)
    assert measured.column("value_number").null_count == len(measured), "the fault leaves no value"
    assert Laboratory(plant).value(sample, dust) > 0


def test_the_same_seed_finds_the_same_values(made_site: Path) -> None:
    plant = load_plant(made_site)
    for handover in handovers(plant, DAY, MIDNIGHT + timedelta(hours=27)):
        assert rows_of(handover, plant, DAY) == rows_of(handover, load_plant(made_site), DAY)
