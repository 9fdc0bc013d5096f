"""What a signal is: a tag's undisturbed value as a function of context and time, and how it is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_plant.plant.context import Context
from reference_plant.plant.noise import Floats

Compute = Callable[[Context, Floats], NDArray[Any]]


@dataclass(frozen=True)
class Signal:
    """A tag's value before faults.

    `decimals` is the instrument's resolution; `on_change` reports a sample only where it differs from the one
    before, and at least once a minute.
    """

    compute: Compute
    decimals: int = 2
    on_change: bool = False


def at_least(low: float, values: Floats) -> Floats:
    """The values, none below `low`: what an instrument shows of a quantity that cannot be less."""
    return np.maximum(values, low)
