"""Two ways to one number: what was sent in real time, held against the marts, which are authoritative.

A value sent at a moment is the last sample before it, so it lies between the least and the greatest sample of
the periods that touch the moment. Pure: tables in, disagreements out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

# Relative. Measured factors agree exactly; computed ones (flow, dust on a dry basis) pair inputs sampled up
# to 5 s apart, and differed by 0.5 % at most over two hours of the reference plant.
TOLERANCE = 0.01
_NORMAL = "N"
_KEY = ["outlet_id", "factor_code", "period_start_utc"]


@dataclass(frozen=True)
class Disagreement:
    """A value sent in real time that the marts' samples of that time do not bear out."""

    outlet_id: str
    factor_code: str
    observed_at_utc: datetime
    sent: float
    low: float
    high: float

    def __str__(self) -> str:
        moment = self.observed_at_utc.isoformat()
        return f"{self.outlet_id} {self.factor_code} {moment}: {self.sent:g}, {self.low:g} … {self.high:g}"


@dataclass(frozen=True)
class Reconciliation:
    """How many values were compared, and which disagree."""

    compared: int
    disagreements: tuple[Disagreement, ...]


def reconcile_stream(
    observations: Iterable[Mapping[str, Any]], periods: pa.Table, *, length: timedelta
) -> Reconciliation:
    """Hold values sent in real time against the statistics of the periods they were taken in.

    Args:
        observations: rows of the state store's `stream_observations`.
        periods: rows of a monitoring mart: key, `min_value`, `max_value`, `value_count`, `normal_count`.
        length: how long a period of the mart is.
    """
    sent = _sent(observations)
    if sent.is_empty() or periods.num_rows == 0:
        return Reconciliation(0, ())
    is_normal = pl.col("value_count") == pl.col("normal_count")
    bounds = pl.DataFrame(periods).filter(is_normal).drop_nulls("max_value")
    # A moment on a boundary may carry the last sample of the period before; both must be there to judge.
    touching = pl.concat(
        [
            sent.with_columns(period_start_utc=(pl.col("observed_at_utc") - shift).dt.truncate(length))
            for shift in (timedelta(0), timedelta(minutes=1))
        ]
    )
    moments = touching.join(bounds, on=_KEY, how="left").group_by(*sent.columns)
    judged = moments.agg(
        low=pl.col("min_value").min(),
        high=pl.col("max_value").max(),
        unknown=pl.col("max_value").null_count(),
    ).filter(pl.col("unknown") == 0)
    slack = TOLERANCE * pl.max_horizontal(pl.col("high").abs(), pl.col("low").abs())
    outside = (pl.col("value") < pl.col("low") - slack) | (pl.col("value") > pl.col("high") + slack)
    wrong = judged.filter(outside).sort("observed_at_utc", "outlet_id", "factor_code")
    found = (
        Disagreement(r["outlet_id"], r["factor_code"], r["observed_at_utc"], r["value"], r["low"], r["high"])
        for r in wrong.iter_rows(named=True)
    )
    return Reconciliation(judged.height, tuple(found))


def _sent(observations: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """One row a normal value sent: outlet, factor, moment, value."""
    rows = [
        (
            row["outlet_id"],
            value["factor_code"],
            datetime.fromisoformat(row["observed_at_utc"]),
            value["value"],
        )
        for row in observations
        for value in json.loads(row["values_json"])
        if value["flag"] == _NORMAL and value["value"] is not None
    ]
    moment = pl.Datetime("us", "UTC")
    schema = pl.Schema(
        [
            ("outlet_id", pl.String()),
            ("factor_code", pl.String()),
            ("observed_at_utc", moment),
            ("value", pl.Float64()),
        ]
    )
    return pl.DataFrame(rows, schema=schema, orient="row")
