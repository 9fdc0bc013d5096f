"""A corrected file of code mappings: what it would fix, what of it is refused, and taking it over."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from contracts.loading import load_contract
from ingestion.errors import ContractBreachError, PermanentError
from ingestion.registry import PRODUCT_SYSTEMS
from orchestration.code_corrections import Effect, preview, read_mappings, take_over

MAPPINGS = load_contract(PRODUCT_SYSTEMS / "site_register" / "code_mappings.odcs.yaml")
SITE_FILE = Path(__file__).parents[3] / "reference_plant" / "site" / "mappings" / "code_mappings.csv"


def used(
    code: str, day: int, standard: str | None, rows: int, kg: float | None, cny: float | None
) -> dict[str, Any]:
    return {
        "system_id": "erp_main",
        "table_name": "purchase_order_lines",
        "column_name": "material_code",
        "code_type": "material",
        "source_code": code,
        "used_date": date(2026, 11, day),
        "standard_code": standard,
        "row_count": rows,
        "quantity_kg": kg,
        "amount_cny": cny,
    }


# The first is unmapped on two days; the second stands for ammonia.
USED = [
    used("X1", 15, None, 2, 30_000.0, 75_000.0),
    used("X1", 16, None, 1, 4_000.5, None),
    used("000000000000100001", 16, "ammonia", 3, None, None),
]


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "mappings" / "code_mappings.csv"
    path.parent.mkdir()
    return Path(shutil.copy(SITE_FILE, path))


def corrected(site_file: Path, *added: str, old: str = " ", new: str = " ") -> Path:
    path = site_file.parent.parent / "corrected.csv"
    lines = [*site_file.read_text(encoding="utf-8").replace(old, new).splitlines(), *added]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def effects(path: Path, site_file: Path) -> tuple[Effect, ...]:
    found = preview(path, MAPPINGS, USED, read_mappings(site_file, MAPPINGS))
    assert found.refused == ()
    return found.effects


def effect(code: str, before: str | None, after: str | None, *totals: Any) -> Effect:
    return Effect(
        "erp_main", "purchase_order_lines", "material_code", "material", code, before, after, *totals
    )


def test_the_file_as_it_stands_changes_nothing(site_file: Path) -> None:
    assert effects(site_file, site_file) == ()


def test_a_new_mapping_maps_the_rows_of_its_days(site_file: Path) -> None:
    whole = corrected(site_file, "erp_main,material,X1,methanol,2026-01-01,")
    assert effects(whole, site_file) == (effect("X1", None, "methanol", 3, 34_000.5, 75_000.0),)
    one_day = corrected(site_file, "erp_main,material,X1,methanol,2026-11-16,")
    assert effects(one_day, site_file) == (effect("X1", None, "methanol", 1, 4_000.5, None),)


def test_a_changed_and_a_removed_mapping_are_told(site_file: Path) -> None:
    changed = corrected(site_file, old="100001,ammonia", new="100001,ammonia_water")
    code = "000000000000100001"
    assert effects(changed, site_file) == (effect(code, "ammonia", "ammonia_water", 3, None, None),)
    removed = corrected(site_file, old=f"erp_main,material,{code},ammonia,2020-01-01,\n", new="")
    assert effects(removed, site_file) == (effect(code, "ammonia", None, 3, None, None),)


def test_a_workbook_counts_as_its_csv(site_file: Path, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    with corrected(site_file, "erp_main,material,X1,methanol,2026-11-16,").open(encoding="utf-8") as file:
        for cells in csv.reader(file):
            dated = [date.fromisoformat(cell) if cell.startswith("202") else cell for cell in cells]
            sheet.append(dated)
    path = tmp_path / "corrected.xlsx"
    book.save(path)
    assert effects(path, site_file) == (effect("X1", None, "methanol", 1, 4_000.5, None),)


def test_a_wrong_line_is_told_and_its_earlier_word_stands(site_file: Path) -> None:
    path = corrected(site_file, old="erp_main,unit,TO,t,", new="erp_main,unit,TO,tonne,")
    found = preview(path, MAPPINGS, USED, read_mappings(site_file, MAPPINGS))
    assert [one.row["standard_code"] for one in found.refused] == ["tonne"]
    assert found.effects == ()


def test_taking_over_keeps_the_old_file_with_date_and_author(site_file: Path) -> None:
    before = site_file.read_bytes()
    new = corrected(site_file, "erp_main,material,X1,methanol,2026-01-01,")
    kept = take_over(new, site_file, author="王 工", now=datetime(2026, 11, 17, 8, tzinfo=UTC))
    assert kept == site_file.parent / "history" / "code_mappings.20261117T080000Z.王_工.csv"
    assert kept.read_bytes() == before
    assert site_file.read_bytes() == new.read_bytes()


@pytest.mark.parametrize("name", ["missing.csv", "mappings.txt", "broken.xlsx"])
def test_what_is_no_table_is_refused_by_name(name: str, site_file: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.xlsx").write_bytes(b"no workbook")
    with pytest.raises(PermanentError, match=name):
        preview(tmp_path / name, MAPPINGS, USED, [])


def test_a_key_twice_is_refused_here_and_not_only_by_the_extract(site_file: Path) -> None:
    twice = corrected(site_file, "erp_main,unit,TO,kg,2020-01-01,")
    with pytest.raises(ContractBreachError, match="each key once"):
        preview(twice, MAPPINGS, USED, [])
