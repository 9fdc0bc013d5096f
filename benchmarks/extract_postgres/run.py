"""Five million rows of eight mixed columns from PostgreSQL into Delta: ours, bare ADBC + deltalake, and dlt.

Ours checks the contract, turns every column into its declared type, adds the change log's columns and
commits the cursor with the rows. Rounds take turns; the median of each contestant counts. dlt runs once a
backend, and the fastest is its figure.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgresql

from benchmarks.extract_postgres.answers import cursor_in_commit, differing_columns
from benchmarks.report import Metric, Result
from reference_plant.business.cluster import HOST, Cluster

SEED = 4
ROWS = 5_000_000
ROUNDS = 3
LEAST_OF_BARE = 0.9
LEAST_OF_DLT = 1.5
MOST_MIB = 1024.0
DLT = ("dlt-pyarrow", "dlt-connectorx")

_TABLE = """
create table movements (
    movement_id bigint primary key, material_code varchar(16) not null, quantity numeric(14,3),
    temperature_c double precision, status_code smallint not null, is_released boolean,
    posted_on date not null, updated_at timestamptz not null)
"""
_ROWS = f"""
insert into movements
select i, 'M' || lpad((i * 7919 % 5003)::text, 8, '0'),
    case when i % 97 > 0 then ((i * 104729 + {SEED}) % 100000007) / 1000.0 end,
    case when i % 89 > 0 then 20 + (i * 31 % 9973) / 100.0 end,
    i % 5, case when i % 83 > 0 then i % 3 = 0 end,
    date '2024-01-01' + (i % 1000)::int, timestamptz '2024-01-01 00:00Z' + i * interval '7.3 second'
from generate_series(1::bigint, {ROWS}) i
"""
_AFTERWARDS = ("create index on movements (updated_at)", "vacuum analyze movements", "checkpoint")


@contextmanager
def source(folder: Path) -> Iterator[str]:
    """A PostgreSQL with the table, as large as it is, its cursor indexed as any cursor should be."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    cluster = Cluster(folder / "data", port)
    cluster.start()
    try:
        with (
            postgresql.connect(cluster.admin_url, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            for statement in (_TABLE, _ROWS, *_AFTERWARDS):
                cursor.execute(statement)
        yield cluster.admin_url
    finally:
        cluster.stop()


def measured(name: str, url: str, folder: Path) -> dict[str, float]:
    """One contestant once, in a process and a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.extract_postgres.contestants", name, url, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        msg = f"{name} ended with {ran.returncode}: {ran.stderr[-2000:]}"
        raise RuntimeError(msg)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def run() -> Result:
    """Measure, compare the answers, judge."""
    has_dlt = importlib.util.find_spec("dlt") is not None
    with tempfile.TemporaryDirectory(prefix="chemlink-extract-") as name:
        folder = Path(name)
        runs: dict[str, list[dict[str, float]]] = {}
        with source(folder) as url:
            for _ in range(ROUNDS):
                for contestant in ("ours", "bare"):
                    found = measured(contestant, url, folder / contestant)
                    runs.setdefault(contestant, []).append(found)
            for contestant in DLT if has_dlt else ():
                runs[contestant] = [measured(contestant, url, folder / contestant)]
        rates = {
            contestant: ROWS / statistics.median(one["seconds"] for one in found)
            for contestant, found in runs.items()
        }
        ours = folder / "ours" / "lake" / "raw" / "raw_bench_wms__movements"
        answers = {"bare ADBC + deltalake": differing_columns(ours, folder / "bare" / "movements")}
        fastest = max(DLT, key=lambda contestant: rates.get(contestant, 0.0))
        if has_dlt:
            answers[fastest] = differing_columns(ours, folder / fastest / "raw" / "movements")
        has_cursor = cursor_in_commit(ours)
    return _result(rates, runs, answers, fastest if has_dlt else None, has_cursor=has_cursor)


def _result(
    rates: dict[str, float],
    runs: dict[str, list[dict[str, float]]],
    answers: dict[str, list[str]],
    fastest: str | None,
    *,
    has_cursor: bool,
) -> Result:
    peak = {name: max(one["peak_mib"] for one in found) for name, found in runs.items()}
    bare = f"ADBC {metadata.version('adbc-driver-postgresql')} + deltalake {metadata.version('deltalake')}"
    labels = {"bare": bare}
    for name in DLT:
        if name in rates:
            labels[name] = f"dlt {metadata.version('dlt')} ({name.removeprefix('dlt-')})"
    checks = {
        **{f"the same rows as {name}": not differing for name, differing in answers.items()},
        "the commit carries the cursor": has_cursor,
        f"at least {LEAST_OF_BARE} x bare ADBC + deltalake": rates["ours"] >= LEAST_OF_BARE * rates["bare"],
        f"peak memory under {MOST_MIB:.0f} MiB": peak["ours"] < MOST_MIB,
    }
    if fastest is not None:
        checks[f"at least {LEAST_OF_DLT} x dlt's fastest backend"] = (
            rates["ours"] >= LEAST_OF_DLT * rates[fastest]
        )
    return Result(
        name="extract_postgres",
        seed=SEED,
        metrics=(
            Metric("rows_s", "rows/s", rates["ours"], "higher", _of(rates, labels)),
            Metric("peak_memory_mib", "MiB", peak["ours"], "lower", _of(peak, labels)),
        ),
        checks=checks,
        peers_not_run=() if fastest is not None else ("dlt (not installed: the extra bench)",),
    )


def _of(values: dict[str, float], labels: dict[str, str]) -> dict[str, float]:
    return {label: values[name] for name, label in labels.items()}
