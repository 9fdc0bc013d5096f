"""Helper columns for rules that need more than one cell: ranges by factor, completeness, conversion.

Pure: an Arrow table in, a pandas frame out.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

_RANGES = Path(__file__).parent / "plausible_ranges.csv"


@cache
def plausible_ranges() -> dict[str, tuple[float, float]]:
    """The physically possible range of each factor, in the unit of HJ 212 annex B."""
    with _RANGES.open(encoding="utf-8", newline="") as handle:
        return {row["factor_code"]: (float(row["low"]), float(row["high"])) for row in csv.DictReader(handle)}


def with_helpers(rows: pa.Table) -> pd.DataFrame:
    """The rows as a pandas frame, with the helper columns that the report suites read.

    One row is one outlet × factor × period, as in the regulatory models.
    """
    frame: pd.DataFrame = rows.to_pandas()
    ranges = plausible_ranges()
    frame["_range_low"] = (
        frame["factor_code"].map(lambda code: ranges.get(code, (None, None))[0]).astype(float)
    )
    frame["_range_high"] = (
        frame["factor_code"].map(lambda code: ranges.get(code, (None, None))[1]).astype(float)
    )
    frame["_is_complete"] = _is_complete(frame)
    frame["_has_converted"] = _has_converted(frame)
    frame["_valid_has_value"] = _valid_has_value(frame)
    if "limit_value" in frame:
        frame["_limit_is_named"] = frame["limit_value"].isna() | (
            frame["standard_no"].notna() & frame["standard_name_zh"].notna()
        )
        frame["_exceedance_agrees"] = _exceedance_agrees(frame)
    return frame


def _is_complete(frame: pd.DataFrame) -> pd.Series:
    """Each period of an outlet carries every factor that the outlet reports anywhere in these rows."""
    expected = frame.groupby("outlet_id")["factor_code"].transform("nunique")
    present = frame.groupby(["outlet_id", "period_start_utc"])["factor_code"].transform("nunique")
    return present == expected


def _has_converted(frame: pd.DataFrame) -> pd.Series:
    """A factor that is converted at an outlet at all is converted in each of its periods with an average."""
    if "is_valid" not in frame:
        return pd.Series(True, index=frame.index)
    is_converted = frame["converted_avg_value"].notna()
    factor = [frame["outlet_id"], frame["factor_code"]]
    converts = is_converted.groupby(factor).transform("any")
    needs = converts & frame["avg_value"].notna() & frame["is_valid"].fillna(value=False).astype(bool)
    return ~needs | is_converted


def _valid_has_value(frame: pd.DataFrame) -> pd.Series:
    """A period called valid has an average, or a total where the factor is only totalled."""
    if "is_valid" not in frame:
        return pd.Series(True, index=frame.index)
    is_valid = frame["is_valid"].fillna(value=False).astype(bool)
    return ~is_valid | frame["avg_value"].notna() | frame["cou_value"].notna()


def _exceedance_agrees(frame: pd.DataFrame) -> pd.Series:
    """`is_exceeded` says what value and limit say; pH has two limits and is judged by the mart alone."""
    judged = frame["avg_value"].astype(float)
    for basis, column in (("converted", "converted_avg_value"), ("rate", "emission_kg")):
        judged = judged.where(frame["limit_basis"] != basis, frame[column])
    exceeds = judged > frame["limit_value"]
    has_all = judged.notna() & frame["limit_value"].notna() & frame["is_exceeded"].notna()
    is_one_sided = frame["factor_code"] != "w01001"
    return ~(has_all & is_one_sided) | (exceeds == frame["is_exceeded"].fillna(value=False).astype(bool))
