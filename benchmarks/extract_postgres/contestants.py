"""Each contestant brings the whole table into a fresh Delta table, in a process of its own.

`python -m benchmarks.extract_postgres.contestants <name> <url> <folder>` prints one line of JSON: seconds
from connecting to the commit, and the largest resident memory of the process.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

TABLE = "movements"
CONTRACT = Path(__file__).parent / "movements.odcs.yaml"


def ours(folder: Path) -> Callable[[str], object]:
    """The product's extract: snapshot, contract check, change log, cursor in the commit."""
    from contracts.loading import load_contract
    from ingestion.context import ExtractContext
    from ingestion.sql_extract import extract_sql
    from lake.layout import LakePaths
    from lake.migrations import run as migrations
    from lake.state import open_state
    from protocols.clock import SystemClock

    lake = LakePaths(folder)
    folder.mkdir(parents=True, exist_ok=True)
    migrations.migrate(lake.state_url)
    clock = SystemClock()
    state = open_state(lake.state_url, clock.now)
    contract = load_contract(CONTRACT)
    context = ExtractContext(lake, state, str, clock, folder, run_id="benchmark")
    return lambda url: extract_sql(contract, url, context)


def bare(folder: Path) -> Callable[[str], object]:
    """ADBC's batches handed to deltalake: no contract, no types of ours, no cursor."""
    import adbc_driver_postgresql.dbapi as postgresql
    from deltalake import write_deltalake

    def extract(url: str) -> None:
        with postgresql.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"select * from {TABLE}")
            write_deltalake(str(folder / TABLE), cursor.fetch_record_batch())

    return extract


def dlt_backend(backend: str) -> Callable[[Path], Callable[[str], object]]:
    """dlt's sql_table with one backend, into its filesystem destination as a Delta table."""

    def prepare(folder: Path) -> Callable[[str], object]:
        os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
        os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
        import dlt
        from dlt.sources.sql_database import sql_table

        def extract(url: str) -> None:
            pipeline = dlt.pipeline(
                pipeline_name=f"bench_{backend}",
                pipelines_dir=str(folder / "work"),
                destination=dlt.destinations.filesystem(bucket_url=folder.as_uri()),
                dataset_name="raw",
            )
            table = sql_table(
                credentials=url, table=TABLE, backend=backend, reflection_level="full_with_precision"
            )
            pipeline.run(
                table, table_format="delta", loader_file_format="parquet", write_disposition="append"
            )

        return extract

    return prepare


CONTESTANTS: dict[str, Callable[[Path], Callable[[str], object]]] = {
    "ours": ours,
    "bare": bare,
    **{f"dlt-{backend}": dlt_backend(backend) for backend in ("pyarrow", "connectorx")},
}


def main() -> None:
    """Run one contestant; what it loads before it connects is not counted."""
    name, url, folder = sys.argv[1:]
    extract = CONTESTANTS[name](Path(folder))
    began = time.perf_counter()
    extract(url)
    seconds = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
