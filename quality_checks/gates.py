"""Running a gate: rows against a suite, in Great Expectations, with a verdict a person can act on.

The import takes seconds, so it happens at the first gate of a process and never when this module is imported.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from contracts.model import Contract
from quality_checks.suites import REPORT_SUITES, Rule, Suite, manual_suite
from quality_checks.verdicts import FailedExpectation, GateVerdict

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5


class UnknownSuiteError(LookupError):
    """A report names a gate that does not exist."""


class MissingColumnsError(ValueError):
    """The rows lack columns that the gate reads."""

    def __init__(self, suite: str, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(
            f"gate {suite}: the table lacks {', '.join(missing)}; correct the model or the gate's rules"
        )


def check_report(suite: str, rows: pa.Table) -> GateVerdict:
    """The verdict of the gate called `suite` over rows of a regulatory table.

    Raises:
        UnknownSuiteError: no gate has that name; the message lists those there are.
    """
    from quality_checks.frames import with_helpers

    found = REPORT_SUITES.get(suite)
    if found is None:
        known = ", ".join(sorted(REPORT_SUITES))
        msg = f"gate {suite!r} does not exist; expected one of {known}; correct the exposure"
        raise UnknownSuiteError(msg)
    return run_suite(found, with_helpers(rows))


def check_manual(contract: Contract, rows: pa.Table) -> GateVerdict:
    """The verdict of the gate on records kept by hand, over the present rows of their table."""
    return run_suite(manual_suite(contract), rows.to_pandas())


def run_suite(suite: Suite, frame: pd.DataFrame) -> GateVerdict:
    """Every rule of `suite` over `frame`.

    Raises:
        MissingColumnsError: the frame lacks what a rule reads; a gate that cannot look never passes.
    """
    missing = sorted({name for rule in suite.rules for name in rule.columns} - set(frame.columns))
    if missing:
        raise MissingColumnsError(suite.name, missing)
    import great_expectations as gx

    expectations = [
        getattr(gx.expectations, rule.expectation)(**rule.arguments, meta={"rule": number})
        for number, rule in enumerate(suite.rules)
    ]
    batch = _batch_definition().get_batch({"dataframe": frame})
    report = batch.validate(
        gx.ExpectationSuite(name=suite.name, expectations=expectations),
        result_format={"result_format": "COMPLETE"},
    )
    failures = [_failure(suite, frame, result) for result in report.results if not result.success]
    return GateVerdict(suite.name, len(frame), len(suite.rules), tuple(failures))


@cache
def _batch_definition() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("gate")
    return source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")


def _failure(suite: Suite, frame: pd.DataFrame, result: Any) -> FailedExpectation:
    rule: Rule = suite.rules[result.expectation_config.meta["rule"]]
    rows = list(dict.fromkeys(result.result.get("unexpected_index_list") or []))
    return FailedExpectation(
        rule=rule.expectation,
        columns=rule.columns,
        text_zh=rule.text_zh,
        text_en=rule.text_en,
        row_count=result.result.get("unexpected_count") or len(rows),
        examples=tuple(_name_row(suite, frame, rule, row) for row in rows[:EXAMPLES]),
    )


def _name_row(suite: Suite, frame: pd.DataFrame, rule: Rule, row: Any) -> str:
    """The row's key, and the values that the rule found wrong."""
    shown = dict.fromkeys((*suite.row_key, *(name for name in rule.columns if not name.startswith("_"))))
    return ", ".join(f"{name}={frame.at[row, name]!s}" for name in shown)
