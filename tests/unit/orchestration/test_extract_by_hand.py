"""`chemlink extract`: one table at once, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lake.state import migrate
from orchestration.cli import app
from orchestration.cli.exits import ExitCode
from orchestration.settings import load_settings
from reference_plant.init import make_site
from reference_plant.options import PlantOptions

OUTLETS = "raw_site_register__outlets"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    make_site(tmp_path / "site", PlantOptions())
    settings = load_settings(tmp_path / "site")
    migrate(settings.state_url, settings.lake)
    return tmp_path / "site"


def extract(site: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["extract", *arguments, "--site", str(site)])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def test_a_table_is_extracted_and_told(site: Path) -> None:
    code, printed = extract(site, OUTLETS, "--json")
    assert code == ExitCode.OK
    assert json.loads(printed)["rows_upserted"] == 4


def test_a_register_that_lost_its_rows_wants_a_word(site: Path) -> None:
    extract(site, OUTLETS)
    register = site / "registers" / "outlets.csv"
    heading = register.read_text(encoding="utf-8").splitlines()[0]
    register.write_text(f"{heading}\n", encoding="utf-8")
    code, printed = extract(site, OUTLETS)
    assert code != ExitCode.OK
    assert "--accept-shrink" in printed
    code, printed = extract(site, OUTLETS, "--accept-shrink", "--json")
    assert code == ExitCode.OK
    assert json.loads(printed)["rows_deleted"] == 4


def test_an_unknown_table_names_those_there_are(site: Path) -> None:
    code, printed = extract(site, "raw_nowhere__at_all")
    assert code == ExitCode.USAGE
    assert OUTLETS in printed
