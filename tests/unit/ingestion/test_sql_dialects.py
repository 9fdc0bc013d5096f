"""What would be sent to each kind of database, and which of its types hold what a contract says."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from contracts.model import Column
from ingestion.connectors.sql import DIALECTS, dialect_of
from ingestion.connectors.sql_dialect import Dialect, type_faults
from ingestion.connectors.sql_sessions import DbapiSession, connect
from ingestion.errors import PermanentError

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
POSTGRESQL, SQLITE, MYSQL = BY_NAME["PostgreSQL"], BY_NAME["SQLite"], BY_NAME["MySQL / MariaDB"]
SQLSERVER, ORACLE = BY_NAME["SQL Server"], BY_NAME["Oracle"]
EIGHT = datetime(2026, 11, 16, 0, 0, 0, 250_000, tzinfo=UTC)


def column(source_type: str, logical_type: Any = "string", **more: Any) -> Column:
    return Column(
        "ours",
        logical_type,
        "列",
        "Column",
        "一般",
        "管理",
        source_name="src",
        source_type=source_type,
        **more,
    )


INSTANT = column("timestamptz", "timestamp")
LOCAL = column("timestamp(0)", "timestamp", source_zone="Asia/Shanghai")
MILLISECONDS = column("bigint", "timestamp", source_format="epoch_ms")


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("postgresql://reader@erp/plant", POSTGRESQL),
        ("sqlite:////srv/scale.db", SQLITE),
        ("mysql://reader@mes/mes", MYSQL),
        ("mariadb://reader@wms/wms", MYSQL),
        ("mssql://reader@lims/lims", SQLSERVER),
        ("oracle://reader@eam/orclpdb1", ORACLE),
    ],
)
def test_the_url_says_which_database_it_is(url: str, dialect: Dialect) -> None:
    assert dialect_of(url) is dialect


def test_an_unknown_url_names_those_that_are_known() -> None:
    with pytest.raises(PermanentError, match=r"'ftp'; expected one of postgresql, postgres, sqlite"):
        dialect_of("ftp://somewhere")


@pytest.mark.parametrize(
    ("dialect", "table"),
    [
        (POSTGRESQL, '"erp"."o""rders"'),
        (SQLITE, '"erp"."o""rders"'),
        (MYSQL, '`erp`.`o"rders`'),
        (SQLSERVER, '[erp].[o"rders]'),
        (ORACLE, '"erp"."o""rders"'),
    ],
)
def test_a_name_is_taken_literally(dialect: Dialect, table: str) -> None:
    assert dialect.table('erp.o"rders') == table


@pytest.mark.parametrize(
    ("dialect", "name", "quoted"), [(MYSQL, "a`b", "`a``b`"), (SQLSERVER, "a]b", "[a]]b]")]
)
def test_the_quote_itself_is_doubled(dialect: Dialect, name: str, quoted: str) -> None:
    assert dialect.quoted(name) == quoted


@pytest.mark.parametrize(
    ("dialect", "instant", "local"),
    [
        (
            POSTGRESQL,
            "timestamptz '2026-11-16 00:00:00.250000+00:00'",
            "timestamp '2026-11-16 08:00:00.250000'",
        ),
        (SQLITE, "'2026-11-16 00:00:00.250000'", "'2026-11-16 08:00:00.250000'"),
        (MYSQL, "timestamp'2026-11-16 00:00:00.250000'", "timestamp'2026-11-16 08:00:00.250000'"),
        (
            SQLSERVER,
            "cast('2026-11-16T00:00:00.250000+00:00' as datetimeoffset)",
            "cast('2026-11-16T08:00:00.250000' as datetime2)",
        ),
        (ORACLE, "timestamp '2026-11-16 00:00:00.250000 +00:00'", "timestamp '2026-11-16 08:00:00.250000'"),
    ],
)
def test_a_cursor_is_written_as_the_source_writes_it(dialect: Dialect, instant: str, local: str) -> None:
    assert dialect.literal(INSTANT, EIGHT) == instant
    assert dialect.literal(LOCAL, EIGHT) == local
    assert dialect.literal(MILLISECONDS, EIGHT) == "1794787200250"
    assert dialect.literal(column("bigint", "integer"), 41) == "41"


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        (POSTGRESQL, "select 1 from t limit 1"),
        (SQLITE, "select 1 from t limit 1"),
        (MYSQL, "select 1 from t limit 1"),
        (SQLSERVER, "select top (1) 1 from t"),
        (ORACLE, "select 1 from t fetch first 1 rows only"),
    ],
)
def test_a_page_is_asked_for_in_the_databases_own_words(dialect: Dialect, statement: str) -> None:
    assert dialect.limited("select 1 from t", 1) == statement


@pytest.mark.parametrize(
    ("dialect", "parts"),
    [
        (POSTGRESQL, ["pg_attribute", '\'"wms"."lots"\'::regclass']),
        (SQLITE, ["pragma_table_info('lots')"]),
        (MYSQL, ["information_schema.columns", "table_schema = 'wms'", "table_name = 'lots'"]),
        (SQLSERVER, ["information_schema.columns", "table_schema = 'wms'", "numeric_precision"]),
        (ORACLE, ["all_tab_columns", "owner = 'wms'", "table_name = 'lots'", "data_precision"]),
    ],
)
def test_the_catalogue_is_asked_for_one_table(dialect: Dialect, parts: list[str]) -> None:
    statement = dialect.catalogue("wms.lots")
    assert [part for part in parts if part not in statement] == []


@pytest.mark.parametrize(
    ("dialect", "declared", "found", "fits"),
    [
        (POSTGRESQL, "char(10)", "character", True),
        (POSTGRESQL, "numeric(12,3)", "numeric(12,3)", True),
        (POSTGRESQL, "numeric(12,3)", "numeric(12,4)", False),
        (POSTGRESQL, "timestamp(0)", "timestamp without time zone", True),
        (POSTGRESQL, "timestamptz", "timestamp without time zone", False),
        (POSTGRESQL, "bigint", "integer", False),
        (MYSQL, "numeric(12,3)", "decimal(12,3)", True),
        (MYSQL, "integer", "int", True),
        (MYSQL, "timestamptz", "timestamp", True),
        (MYSQL, "timestamptz", "datetime", False),
        (MYSQL, "timestamp(0)", "datetime", True),
        (SQLSERVER, "varchar(32)", "nvarchar", True),
        (SQLSERVER, "timestamptz", "datetimeoffset", True),
        (SQLSERVER, "timestamptz", "datetime2", False),
        (SQLSERVER, "boolean", "bit", True),
        (ORACLE, "varchar(32)", "varchar2", True),
        (ORACLE, "bigint", "number(19,0)", True),
        (ORACLE, "bigint", "number(19,2)", False),
        (ORACLE, "numeric(12,3)", "number(12,3)", True),
        (ORACLE, "timestamptz", "timestamp with time zone", True),
        (SQLITE, "timestamptz", "text", True),
        (SQLITE, "bigint", "text", False),
    ],
)
def test_a_type_fits_when_it_holds_what_the_contract_says(
    dialect: Dialect, declared: str, found: str, fits: bool
) -> None:
    kind = "number" if declared.startswith("numeric") else "string"
    faults = type_faults(dialect, [column(declared, kind)], {"src": found})
    assert faults == ([] if fits else [f"ours (source src): found type {found}, expected {declared}"])


def test_a_postgresql_decimal_travels_as_a_whole_number_and_comes_back_exact() -> None:
    decimal = column("numeric(14,3)", "number", unit="kg")
    assert POSTGRESQL.selected(decimal) == '("src" * 1000)::bigint'
    back = POSTGRESQL.received(pa.chunked_array([[1500, None, -1]]), decimal)
    assert back.to_pylist() == [Decimal("1.500"), None, Decimal("-0.001")]
    assert POSTGRESQL.selected(column("numeric(30,3)", "number", unit="kg")) == '"src"'


def test_a_sqlite_value_is_told_from_no_value_whatever_it_is() -> None:
    assert (
        SQLITE.selected(column("text"))
        == "case when \"src\" is null then '' else '=' || cast(\"src\" as text) end"
    )
    assert SQLITE.received(pa.chunked_array([["=", "", "==", "=吨"]]), column("text")).to_pylist() == [
        "",
        None,
        "=",
        "吨",
    ]


def test_a_mysql_instant_is_text_of_utc() -> None:
    found = MYSQL.received(pa.chunked_array([["2026-11-16 00:00:00.250000", None]]), INSTANT)
    assert found.to_pylist() == [EIGHT, None]


class Cursor:
    """What PEP 249 promises of a cursor, over rows given to it."""

    description = (("id",), ("at",))

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows

    def execute(self, statement: str) -> None:
        if statement == "fail":
            raise LookupError("ORA-03113: end-of-file on communication channel\nmore")

    def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
        found, self.rows = self.rows[:count], self.rows[count:]
        return found

    def close(self) -> None:
        self.rows = []


class Connection:
    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        self.rows = rows

    def cursor(self) -> Cursor:
        return Cursor(self.rows)


def test_rows_of_a_driver_without_arrow_become_batches() -> None:
    rows = [(Decimal(number), EIGHT) for number in range(40_000)]
    batches = list(DbapiSession(Connection(rows), LookupError).batches("select"))
    assert [batch.num_rows for batch in batches] == [32_768, 7_232]
    table = pa.Table.from_batches(batches)
    assert ORACLE.received(table["id"], column("bigint", "integer"))[39_999].as_py() == 39_999
    assert SQLSERVER.received(table["at"], INSTANT)[0].as_py() == EIGHT


def test_a_missing_driver_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "oracledb", None)
    with pytest.raises(PermanentError, match=r"install chemlink\[oracle\]"):
        connect(ORACLE, "oracle://reader:secret@nowhere/orcl")
