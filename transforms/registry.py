"""The register of computations (clause 7.1.3): what each one is, by which rule, with which units.

A computation is a plain function; `@computation(...)` declares it beside its code, so that the register
cannot name a function that is not there. What is *not* here: running, scheduling or storing anything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


class ComputationError(ValueError):
    """A computation is declared wrongly: a repeated id, or inputs that are not those of its function."""


@dataclass(frozen=True)
class Computation:
    """One entry of the register.

    Attributes:
        computation_id: stable, snake_case, never reused.
        version: raised when the result for the same inputs changes.
        clause: where our standard (DB32/T 4765) asks for the result.
        inputs: unit of each parameter of the function, by its name ("1" for a plain number).
        outputs: unit of each result, by its name.
        source: the rule it follows, with number and formula.
        metrics: how its rightness is measured, by name of the measure: the bound it must keep.
        function: the code.
    """

    computation_id: str
    version: int
    clause: str
    label_zh: str
    label_en: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    source: str
    metrics: Mapping[str, str]
    function: Callable[..., object]


_REGISTER: dict[str, Computation] = {}


def computation(
    computation_id: str,
    *,
    version: int,
    clause: str,
    label_zh: str,
    label_en: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    source: str,
    metrics: Mapping[str, str],
) -> Callable[[F], F]:
    """Declare the decorated function in the register and return it unchanged.

    Raises:
        ComputationError: the id is taken, or `inputs` does not name the function's parameters.
    """

    def declare(function: F) -> F:
        entry = Computation(
            computation_id=computation_id,
            version=version,
            clause=clause,
            label_zh=label_zh,
            label_en=label_en,
            inputs=dict(inputs),
            outputs=dict(outputs),
            source=source,
            metrics=dict(metrics),
            function=function,
        )
        _refuse_half_declared(entry)
        _REGISTER[computation_id] = entry
        return function

    return declare


def registered() -> tuple[Computation, ...]:
    """Every declared computation, sorted by id."""
    return tuple(_REGISTER[key] for key in sorted(_REGISTER))


def _refuse_half_declared(entry: Computation) -> None:
    name = entry.function.__qualname__
    if entry.computation_id in _REGISTER:
        taken_by = _REGISTER[entry.computation_id].function.__qualname__
        msg = (
            f"declaring {name}: computation id {entry.computation_id!r} already belongs to {taken_by}; "
            "give it an id of its own, ids are never reused"
        )
        raise ComputationError(msg)
    parameters = set(inspect.signature(entry.function).parameters)
    if parameters != set(entry.inputs):
        msg = (
            f"declaring {name}: found units for {sorted(entry.inputs)}, expected one for each of "
            f"{sorted(parameters)}; name every parameter once"
        )
        raise ComputationError(msg)
    if not (entry.clause and entry.source and entry.outputs and entry.metrics):
        msg = f"declaring {name}: clause, source, outputs and metrics must be given; fill the empty one"
        raise ComputationError(msg)
