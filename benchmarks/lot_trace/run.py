"""A plant of 100,000 batches, each of five lots into two: everything a lot came from and went into.

Each batch takes from the 2,000 lots before it, so that late lots have nearly all others behind them: far more
than a plant mixes. What the catalogue answers is held to a walk from lot to lot in Python.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import Metric, Result
from lake.table_macros import create_macros, load_macros
from orchestration.location import TABLE_MACROS

SEED = 841
BATCHES, TAKEN, MADE, WINDOW = 100_000, 5, 2, 2_000
BOUND_S = 2.0
RUNS = 5
VIEW = "marts.fct_lot_edges"
_LOTS = WINDOW + MADE * BATCHES
TRACED = {"an_early_lot": WINDOW + 11, "a_lot_in_the_middle": _LOTS // 2, "the_last_lot": _LOTS - 1}

Edges = tuple["np.typing.NDArray[np.int64]", "np.typing.NDArray[np.int64]"]


def make_edges() -> Edges:
    """A million edges, parent and child."""
    draw = np.random.default_rng(SEED)
    made = WINDOW + MADE * np.arange(BATCHES)
    taken = made[:, None] - 1 - draw.integers(0, WINDOW, (BATCHES, TAKEN))
    parents = np.repeat(taken, MADE, axis=1).reshape(-1)
    children = np.tile(made[:, None] + np.arange(MADE), TAKEN).reshape(-1)
    return parents, children


def name_of(lot: int) -> str:
    """As a plant writes lots."""
    return f"PL{lot:08d}"


def walk(edges: Edges, start: int) -> dict[tuple[str, str], int]:
    """Direction and lot → steps, by going from lot to lot."""
    found = {}
    for direction, (origins, ends) in (("forward", edges), ("backward", edges[::-1])):
        ways = defaultdict(list)
        for origin, end in zip(origins.tolist(), ends.tolist(), strict=True):
            ways[origin].append(end)
        depth, front, seen = 0, [start], {start}
        while front:
            depth += 1
            front = list({end for lot in front for end in ways[lot]} - seen)
            seen.update(front)
            found.update({(direction, name_of(lot)): depth for lot in front})
    return found


def run() -> Result:
    """Trace some lots and compare."""
    edges = make_edges()
    table = pa.table(
        {
            column: [name_of(lot) for lot in lots.tolist()]
            for column, lots in zip(("parent_lot_id", "child_lot_id"), edges, strict=True)
        }
    )
    metrics, checks = [], {}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "edges.parquet"
        pq.write_table(table, file)
        connection.execute("create schema marts")
        connection.execute(f"create view {VIEW} as from read_parquet('{file}')")
        create_macros(connection, load_macros(TABLE_MACROS), [VIEW])
        for name, lot in TRACED.items():
            seconds = []
            for _ in range(RUNS):
                begun = time.perf_counter()
                found = connection.execute("from marts.trace_lots(?)", [name_of(lot)]).fetchall()
                seconds.append(time.perf_counter() - begun)
            told = {(direction, reached): depth for direction, reached, depth in found}
            checks[f"{name}: {len(told):,} lots, as by walking"] = told == walk(edges, lot)
            checks[f"{name}: both directions within {BOUND_S:g} s"] = statistics.median(seconds) < BOUND_S
            metrics.append(Metric(f"both_directions_of_{name}", "s", statistics.median(seconds), "lower"))
    checks[f"{len(edges[0]):,} edges"] = len(edges[0]) == BATCHES * TAKEN * MADE
    return Result("lot_trace", SEED, tuple(metrics), checks)
