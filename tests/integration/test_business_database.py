"""The business systems in a real PostgreSQL: what its tables hold is what the story says, at any moment."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import adbc_driver_postgresql.dbapi as postgresql
import psutil
import pytest
from adbc_driver_manager import Error as DatabaseError

from reference_plant.business.cluster import Cluster, ClusterError
from reference_plant.business.database import apply_until, prepare
from reference_plant.business.journal import State, state_at
from reference_plant.business.story import events
from reference_plant.business.tables import TABLES
from reference_plant.init import PlantOptions, make_site

ZONE = ZoneInfo("Asia/Shanghai")
SEED = 20261116
START = datetime(2026, 11, 15, 16, tzinfo=UTC)
HISTORY = events(SEED, ZONE, START, START + timedelta(days=2))
PASSWORD = "it's a secret"
RUN = (
    "import sys, pathlib; from reference_plant.business.process import main; main(pathlib.Path(sys.argv[1]))"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that another account may walk to.

    As root, PostgreSQL runs as such an account, and every pytest session that starts closes pytest's own
    temporary folder to it again.
    """
    with tempfile.TemporaryDirectory(prefix="chemlink-business-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with reachable_folder() as folder:
        running = Cluster(folder / "postgres", free_port())
        running.start()
        prepare(running, PASSWORD)
        yield running
        running.stop()


def read_state(url: str) -> State:
    """Every table as the database holds it, in the shape of the expected state."""
    found: State = {}
    with postgresql.connect(url) as connection, connection.cursor() as cursor:
        for name, spec in TABLES.items():
            cursor.execute(f"select * from {name}")
            columns = [column[0] for column in cursor.description]
            rows = [dict(zip(columns, values, strict=True)) for values in cursor.fetchall()]
            found[name] = {tuple(row[column] for column in spec.key): row for row in rows}
    return found


def with_texts_for_numerics(state: State) -> State:
    """The driver hands NUMERIC out as text with the column's scale."""
    return {
        table: {
            key: {name: str(value) if isinstance(value, Decimal) else value for name, value in row.items()}
            for key, row in rows.items()
        }
        for table, rows in state.items()
    }


def reader_url(cluster: Cluster) -> str:
    return f"postgresql://chemlink_reader:it%27s%20a%20secret@127.0.0.1:{cluster.port}/plant"


@pytest.mark.parametrize("hours", [0, 0.84, 8, 15.9, 19.5, 25.92, 27.25, 36])
def test_the_tables_hold_what_the_story_says(cluster: Cluster, hours: float) -> None:
    moment = START + timedelta(hours=hours)
    apply_until(cluster.admin_url, HISTORY, moment)
    assert read_state(reader_url(cluster)) == with_texts_for_numerics(state_at(HISTORY, moment))


def test_applying_again_changes_nothing(cluster: Cluster) -> None:
    moment = START + timedelta(hours=40)
    first = apply_until(cluster.admin_url, HISTORY, moment)
    before = read_state(reader_url(cluster))
    assert apply_until(cluster.admin_url, HISTORY, moment) == first
    assert read_state(reader_url(cluster)) == before


def test_preparing_again_changes_nothing(cluster: Cluster) -> None:
    before = read_state(reader_url(cluster))
    prepare(cluster, PASSWORD)
    assert read_state(reader_url(cluster)) == before


@pytest.mark.parametrize(
    "statement",
    ["delete from erp.customers", "create table wms.mine (a int)", "select events from story.applied"],
)
def test_the_reader_can_read_the_three_systems_and_do_nothing_else(cluster: Cluster, statement: str) -> None:
    with (
        postgresql.connect(reader_url(cluster)) as connection,
        connection.cursor() as cursor,
        pytest.raises(DatabaseError, match=r"permission denied|read-only"),
    ):
        cursor.execute(statement)


def test_a_port_that_is_taken_is_told_with_the_servers_own_words() -> None:
    with reachable_folder() as folder, socket.create_server(("127.0.0.1", 0)) as taken:
        other = Cluster(folder / "postgres", taken.getsockname()[1])
        with pytest.raises(ClusterError, match="could not create any TCP/IP sockets"):
            other.start()


class Business:
    """The business process of a whole site."""

    def __init__(self, site: Path, *, through: list[str] | None = None) -> None:
        self.site = site
        self.process = subprocess.Popen([*(through or []), sys.executable, "-c", RUN, str(site)])
        secret = (site / "secrets/erp_url").read_text()
        deadline = time.monotonic() + 30
        while not (self.answers(secret) and len(list((site / "manual_inbox/lab_manual").iterdir())) >= 4):
            assert self.process.poll() is None, "the process ended while starting"
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def answers(self, url: str) -> bool:
        try:
            with postgresql.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute("select count(*) from erp.customers")
                return bool(cursor.fetchone()[0])
        except DatabaseError:
            return False

    def server(self) -> psutil.Process:
        pid = int((self.site / "var/plant/postgres/postmaster.pid").read_text().split()[0])
        return psutil.Process(pid)


@pytest.fixture
def site() -> Iterator[Path]:
    with reachable_folder() as folder:
        make_site(folder / "site", PlantOptions())
        yield folder / "site"


def test_the_process_catches_up_and_stops_its_server_cleanly(site: Path) -> None:
    business = Business(site)
    server = business.server()
    business.process.terminate()
    assert business.process.wait(30) == 0
    assert not server.is_running()
    assert "database system is shut down" in (site / "var/plant/postgres.log").read_text()
    inbox = {path.name for path in (site / "manual_inbox/lab_manual").iterdir()}
    assert {"water_20261116_am.xlsx", "废水监测_20261116.xlsx"} <= inbox


def test_the_process_ends_when_its_parent_is_gone(site: Path) -> None:
    code = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    business = Business(site, through=[sys.executable, "-c", code])
    [child] = psutil.Process(business.process.pid).children()
    server = business.server()
    business.process.kill()
    business.process.wait(10)
    for process in (child, server):
        process.wait(30)


def test_a_killed_process_takes_its_server_along_and_the_next_one_goes_on(site: Path) -> None:
    business = Business(site)
    server = business.server()
    business.process.kill()
    business.process.wait(10)
    server.wait(30)
    clock: dict[str, Any] = json.loads((site / "clock.json").read_text())
    moment = START + timedelta(hours=30)
    clock |= {"origin_plant_utc": moment.isoformat(), "speed": 0.0}
    (site / "clock.json").write_text(json.dumps(clock))
    again = Business(site)
    url = (site / "secrets/erp_url").read_text()
    expected = with_texts_for_numerics(state_at(HISTORY, moment))
    deadline = time.monotonic() + 20
    while read_state(url) != expected:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    again.process.terminate()
    assert again.process.wait(30) == 0
