"""Code mappings that are wrong are set aside one by one; the rest lands, and what was right before stands."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.loading import load_contract
from ingestion.change_log import ChangeLog
from ingestion.connectors.mapping_refusals import KIND
from ingestion.connectors.register import extract_register
from ingestion.context import ExtractContext, ExtractReport
from ingestion.registry import PRODUCT_SYSTEMS
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from tests.fakes.still_clock import StillClock

SITE = Path(__file__).parents[3] / "reference_plant" / "site"
MAPPINGS = load_contract(PRODUCT_SYSTEMS / "site_register" / "code_mappings.odcs.yaml")
LINES = (SITE / "mappings" / "code_mappings.csv").read_text(encoding="utf-8").splitlines()
NEXT_LINE = len(LINES) + 1
OLD = "erp_main,unit,TO,t,2020-01-01,"


class Steward:
    """Keeps the file, has it extracted, and reads what landed and what was found."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(SITE / "mappings", folder / "mappings")
        lake = LakePaths(folder / "var")
        migrations.migrate(lake.state_url)
        clock = StillClock(datetime(2026, 11, 17, tzinfo=UTC))
        state = open_state(lake.state_url, clock.now)
        self.context = ExtractContext(lake, state, str, clock, folder, run_id="test")

    def save(self, *added: str, old: str = "", new: str = "") -> ExtractReport:
        assert not old or old in LINES
        lines = [new if line == old else line for line in LINES] + list(added)
        path = self.context.site_dir / "mappings" / "code_mappings.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return extract_register(MAPPINGS, self.context)

    def landed(self, code: str) -> list[tuple[str, str]]:
        rows = ChangeLog(MAPPINGS, self.context.lake).live().to_pylist()
        return sorted(
            (str(row["valid_from_date"]), row["standard_code"]) for row in rows if row["source_code"] == code
        )

    def told(self) -> list[tuple[str, str]]:
        with self.context.state.read() as connection:
            return [(str(row["cause_zh"]), str(row["cause_en"])) for row in open_findings(connection, KIND)]


@pytest.fixture
def steward(tmp_path: Path) -> Steward:
    return Steward(tmp_path)


@pytest.mark.parametrize(
    ("line", "zh", "en"),
    [
        pytest.param("erp_main,colour,X9,red,2020-01-01,", "编码类型 colour 不存在", "'colour'", id="type"),
        pytest.param("erp_main,unit,X9,kilo,2020-01-01,", "统一编码 kilo 不存在", "units.csv", id="unit"),
        pytest.param("erp_main,pollutant,X9,a99,2020-01-01,", "a99 不存在", "HJ 212", id="pollutant"),
        pytest.param("erp_main,unit,X9,kg,2026-02-01,2026-01-01", "不晚于", "not after", id="reversed"),
        pytest.param("erp_main,unit,X9,kg,2026-02-01,2026-02-01", "不晚于", "not after", id="no_day"),
    ],
)
def test_a_wrong_mapping_is_set_aside_with_its_line_and_the_rest_lands(
    steward: Steward, line: str, zh: str, en: str
) -> None:
    report = steward.save(line, "erp_main,unit,KAR,kg,2020-01-01,")
    assert (report.rows_read, report.rows_quarantined) == (len(LINES) + 1, 1)
    assert report.rows_upserted == len(LINES)  # one heading less, one sound line more
    assert steward.landed("X9") == []
    assert steward.landed("KAR") == [("2020-01-01", "kg")]
    ((cause_zh, cause_en),) = steward.told()
    assert f"第 {NEXT_LINE} 行" in cause_zh
    assert zh in cause_zh
    assert f"line {NEXT_LINE}" in cause_en
    assert en in cause_en


def test_of_two_that_overlap_the_later_is_set_aside_until_the_earlier_ends(steward: Steward) -> None:
    steward.save("erp_main,unit,TO,kg,2026-01-01,")
    assert steward.landed("TO") == [("2020-01-01", "t")]
    ((cause_zh, cause_en),) = steward.told()
    assert f"与第 {LINES.index(OLD) + 1} 行" in cause_zh
    assert "请将其失效日期改为 2026-01-01" in cause_zh
    assert "end that one with valid_to 2026-01-01" in cause_en
    steward.save("erp_main,unit,TO,kg,2026-01-01,", old=OLD, new=OLD + "2026-01-01")
    assert steward.landed("TO") == [("2020-01-01", "t"), ("2026-01-01", "kg")]
    assert steward.told() == []


def test_what_a_mapping_said_before_stands_until_its_line_is_right_again(steward: Steward) -> None:
    steward.save()
    wrong = steward.save(old=OLD, new=OLD.replace(",t,", ",tonne,"))
    assert (wrong.rows_upserted, wrong.rows_deleted, wrong.rows_quarantined) == (0, 0, 1)
    assert steward.landed("TO") == [("2020-01-01", "t")]
    steward.save(old=OLD, new=OLD.replace(",t,", ",kg,"))
    assert steward.landed("TO") == [("2020-01-01", "kg")]
    assert steward.told() == []


def test_a_new_mapping_does_not_overlap_what_stands_in_for_a_wrong_line(steward: Steward) -> None:
    steward.save()
    steward.save("erp_main,unit,TO,kg,2026-01-01,", old=OLD, new=OLD + "2019-01-01")
    assert steward.landed("TO") == [("2020-01-01", "t")]
    assert len(steward.told()) == 2
