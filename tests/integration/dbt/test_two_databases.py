"""One business history in PostgreSQL and in MariaDB: behind the contracts nobody can tell which it was."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.context import ExtractContext
from ingestion.extract import extract_table
from ingestion.registry import SystemKind, load_registry
from lake.layout import LakePaths
from lake.migrations import run as migrations
from lake.state import open_state
from reference_plant.business import database, mariadb
from reference_plant.business.cluster import HOST, Cluster
from reference_plant.business.database import READER
from reference_plant.business.journal import Event
from reference_plant.business.mariadb import MariaDB
from reference_plant.business.story import events
from reference_plant.business.tables import TABLES
from tests.fakes.dbt_lake import DbtLake
from tests.fakes.still_clock import StillClock

pytestmark = pytest.mark.full
SITE = Path(__file__).parents[3] / "reference_plant" / "site"
PLANT = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 16, tzinfo=PLANT).astimezone(UTC)
HOURS = (1, 14, 26)
HISTORY = events(20261116, PLANT, START, START + timedelta(hours=27))
CONTRACTS = [
    (system, contract)
    for system in load_registry(SITE)
    if system.kind is SystemKind.SQL
    for contract in system.tables
    if contract.source_name in TABLES
]
MARTS = (
    "dim_customer",
    "dim_material",
    "dim_supplier",
    "fct_lot_genealogy",
    "fct_order_to_shipment",
    "fct_production_batches",
    "fct_purchase_invoices",
    "fct_purchase_order_lines",
    "fct_sales_order_lines",
    "fct_shipments",
)

Apply = Callable[[list[Event], datetime], object]


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, tuple[str, Apply]]]:
    """Both servers with the schemas: where the reader connects, and how history goes on."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        cluster, server = (
            Cluster(Path(folder) / "pg", free_port()),
            MariaDB(Path(folder) / "maria", free_port()),
        )
        cluster.start()
        server.start()
        database.prepare(cluster, "reader")
        mariadb.prepare(server, "reader")
        yield {
            "postgresql": (
                f"postgresql://{READER}:reader@{HOST}:{cluster.port}/plant",
                lambda story, now: database.apply_until(cluster.admin_url, story, now),
            ),
            "mariadb": (
                server.url(READER, "reader"),
                lambda story, now: mariadb.apply_until(server, story, now),
            ),
        }
        server.stop()
        cluster.stop()


def extract_through(lake: LakePaths, url: str, apply: Apply) -> None:
    """Let the history happen and extract every table now and then."""
    migrations.migrate(lake.state_url)
    for hours in HOURS:
        now = START + timedelta(hours=hours)
        apply(HISTORY, now)
        clock = StillClock(now)
        state = open_state(lake.state_url, clock.now)
        context = ExtractContext(lake, state, lambda _: url, clock, SITE, run_id="test")
        for system, contract in CONTRACTS:
            assert extract_table(system, contract.table, context).warnings == (), contract.name


def state_of(contract: Contract, lake: LakePaths) -> pa.Table:
    names = [column.name for column in contract.columns]
    return ChangeLog(contract, lake).live().sort_by("_row_key").select(names)


@pytest.fixture(scope="module")
def lakes(
    sources: dict[str, tuple[str, Apply]], new_dbt_lake: Callable[[str], DbtLake]
) -> dict[str, DbtLake]:
    made = {name: new_dbt_lake(name) for name in sources}
    for name, (url, apply) in sources.items():
        extract_through(made[name].paths, url, apply)
    return made


@pytest.mark.parametrize("contract", [contract for _, contract in CONTRACTS], ids=lambda one: one.contract_id)
def test_the_raw_state_is_the_same_from_both_databases(contract: Contract, lakes: dict[str, DbtLake]) -> None:
    ours, theirs = (state_of(contract, lake.paths) for lake in lakes.values())
    assert ours.num_rows > 0
    assert ours.equals(theirs)


def test_the_business_marts_are_the_same_from_both_databases(lakes: dict[str, DbtLake]) -> None:
    for lake in lakes.values():
        lake.load_registers()
        lake.dbt("build", "--exclude-resource-type", "unit_test", "--select", "+path:models/marts/business")
    for mart in MARTS:
        found = [
            sorted(
                str(sorted((k, v) for k, v in row.items() if k != "built_at_utc"))
                for row in lake.query(f"select * from marts.{mart}")
            )
            for lake in lakes.values()
        ]
        assert found[0] != [], f"{mart}: the history must fill it, or this proves nothing"
        assert found[0] == found[1], mart
