"""Sums and means that dbt's macros say, on DuckDB: the same in any order, of whatever instruments send."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pytest

from exports.render.numbers import fixed

MACROS = Path(__file__).parents[3] / "dbt_project" / "macros"
PLAIN = {"exact_sum": "sum(x)", "exact_mean": "avg(x)"}


def macro(name: str, value: str) -> str:
    """The SQL that a macro says of a value."""
    text = "".join((MACROS / file).read_text(encoding="utf-8") for file in ("sums.sql", "periods.sql"))
    return jinja2.Environment().from_string(text + f"{{{{ {name}({value!r}) }}}}").render().strip()


def of(expression: str, values: Sequence[float | None], *, threads: int = 1) -> Any:
    """An aggregate of values in this order."""
    given = pa.table({"x": pa.array(values, pa.float64())})
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.register("given", given)
        connection.execute("create table samples as from given")
        found = connection.execute(f"select {expression} from samples").fetchone()
    assert found is not None
    return found[0]


def as_instruments_send(count: int) -> list[float]:
    source = random.Random(20261116)
    return [source.uniform(-1.0, 1.0) * 10 ** source.randrange(-3, 7) for _ in range(count)]


@pytest.mark.parametrize("name", PLAIN)
def test_the_order_of_the_rows_shows_in_a_plain_sum_and_never_in_an_exact_one(name: str) -> None:
    values = as_instruments_send(1_000)
    orders = [values, values[::-1], sorted(values), sorted(values, key=abs)]
    assert len({of(PLAIN[name], order) for order in orders}) > 1
    assert len({of(macro(name, "x"), order) for order in orders}) == 1


@pytest.mark.parametrize("name", PLAIN)
def test_an_exact_sum_is_the_same_on_however_many_threads(name: str) -> None:
    values = as_instruments_send(600_000)  # several row groups, which threads add up apart
    assert len({of(macro(name, "x"), values, threads=threads) for threads in (1, 2, 3, 4, 4)}) == 1


def test_decimals_add_up_to_the_decimal() -> None:
    values = [0.1, 0.2, 0.3]
    assert of("sum(x)", values) == 0.6000000000000001
    assert of(macro("exact_sum", "x"), values) == 0.6


@pytest.mark.parametrize(
    ("values", "total", "mean"),
    [
        ([1e30, 5.0, None], 1e30, 5e29),
        ([-1e30], -1e30, -1e30),
        ([1e18, 1.0, 3.0], 1e18, 1e18 / 3),
        ([math.inf, 5.0], math.inf, math.inf),
        ([1e308, 1e308], math.inf, math.inf),
        ([math.inf, -math.inf, 5.0], math.nan, math.nan),
        ([math.nan, 5.0, 1e30], math.nan, math.nan),
        ([None, None], None, None),
        ([], None, None),
        ([None, 2.5], 2.5, 2.5),
    ],
)
def test_what_no_decimal_holds_fails_nothing_and_is_counted(
    values: list[float | None], total: float | None, mean: float | None
) -> None:
    for name, wanted in (("exact_sum", total), ("exact_mean", mean)):
        found = of(macro(name, "x"), values)
        assert found == wanted or (math.isnan(found) and math.isnan(wanted or 0.0)), name


def test_a_mean_that_lies_between_two_reported_figures_is_kept_as_the_half_that_it_is() -> None:
    mean = macro("exact_mean", "x")
    values = [0.03, 0.03, 0.03, 0.04, 0.04, 0.04]  # 0.035
    assert fixed(of(mean, values), 2) == "0.03"
    assert fixed(of(macro("settled", mean), values), 2) == "0.04"
