"""Tracing lots: what a recursive check finds on a small plant, cycles included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.errors import LakeError
from lake.table_macros import create_macros, load_macros
from orchestration.location import TABLE_MACROS

Edge = tuple[str, str]
lots = st.sampled_from([f"L{number}" for number in range(9)])
EDGES = "marts.fct_lot_edges"


def trace(edges: Iterable[Edge], lot_id: str) -> dict[tuple[str, str], int]:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(f"create table {EDGES} (parent_lot_id varchar, child_lot_id varchar)")
        for edge in edges:
            connection.execute(f"insert into {EDGES} values (?, ?)", edge)
        create_macros(connection, load_macros(TABLE_MACROS), [EDGES])
        found = connection.execute("from marts.trace_lots(?)", [lot_id]).fetchall()
    assert len(found) == len({row[:2] for row in found})  # each lot once a direction
    return {(direction, lot): depth for direction, lot, depth in found}


def recursive_check(edges: Iterable[Edge], lot_id: str) -> dict[tuple[str, str], int]:
    """The shortest way to every lot, found by going on from each lot as often as a shorter way is found."""
    found: dict[tuple[str, str], int] = {}

    def go(direction: str, lot: str, depth: int) -> None:
        for parent, child in edges:
            start, end = (parent, child) if direction == "forward" else (child, parent)
            if start == lot and end != lot_id and depth < found.get((direction, end), len(known)):
                found[direction, end] = depth
                go(direction, end, depth + 1)

    known = {lot for edge in edges for lot in edge} | {""}
    for direction in ("forward", "backward"):
        go(direction, lot_id, 1)
    return found


@given(st.lists(st.tuples(lots, lots), max_size=18), lots)
def test_a_trace_is_what_a_recursive_check_finds(edges: list[Edge], lot_id: str) -> None:
    assert trace(edges, lot_id) == recursive_check(edges, lot_id)


def test_forward_and_backward_come_in_one_answer_with_the_shortest_way() -> None:
    edges = [("RAW", "P1"), ("P1", "BL"), ("RAW", "BL"), ("BL", "SHIP"), ("ELSE", "OTHER")]
    assert trace(edges, "BL") == {("backward", "P1"): 1, ("backward", "RAW"): 1, ("forward", "SHIP"): 1}


def test_a_catalogue_without_the_edges_has_no_trace() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        create_macros(connection, load_macros(TABLE_MACROS), ["marts.dim_date"])
        with pytest.raises(duckdb.CatalogException, match="trace_lots"):
            connection.execute("from marts.trace_lots('L1')")


def test_a_macro_that_does_not_say_what_it_needs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lost.sql").write_text("create macro m() as table select 1", encoding="utf-8")
    with pytest.raises(LakeError, match="expected a first line"):
        load_macros(tmp_path)
