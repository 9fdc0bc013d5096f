"""The type of a formula's quantity: a float on the hot path, a Polars expression over a frame."""

from __future__ import annotations

from typing import TypeVar

import polars as pl

Number = TypeVar("Number", float, pl.Expr)
