"""Contract checks on what is about to land: breaches stop the extract, odd values become findings.

A finding of this kind names table, column and rule, so that the same oddity found again is the same finding.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from contracts.checks import Rule, Violation, check
from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.context import ExtractContext
from ingestion.errors import ContractBreachError
from lake.findings import Finding, close_absent, open_finding, open_findings

KIND = "contract_value"


def require_contract(rows: pa.Table, contract: Contract) -> tuple[Violation, ...]:
    """The violations that land anyway.

    Raises:
        ContractBreachError: there is one that must not land.
    """
    violations = check(rows, contract)
    blocking = [str(violation) for violation in violations if violation.is_blocking]
    if blocking:
        raise ContractBreachError(contract.name, blocking)
    return tuple(violation for violation in violations if not violation.is_blocking)


def unknown_column(name: str) -> Violation:
    """A column that the source gained and the contract does not know."""
    return Violation(
        Rule.EXTRA_COLUMN, name, "a new column", "合同中没有该列", "no such column in the contract"
    )


def record(
    log: ChangeLog, violations: Iterable[Violation], context: ExtractContext, *, is_complete: bool
) -> None:
    """Open a finding for each violation and close those that are gone.

    Args:
        log: the table, for a second look at its present state where only a window was checked.
        violations: what this extract found.
        context: state store and clock.
        is_complete: whether the extract looked at every row of the source.
    """
    found = list(violations)
    contract = log.contract
    prefix = f"{contract.name}."
    if not is_complete and _is_open(context, prefix):
        found += require_contract(log.live().select([c.name for c in contract.columns]), contract)
        is_complete = True
    now = context.clock.now()
    with context.state.begin() as connection:
        keys = [open_finding(connection, _finding(contract, violation), now=now) for violation in found]
        if is_complete:
            close_absent(connection, KIND, keys, now=now, subject_prefix=prefix)


def _is_open(context: ExtractContext, prefix: str) -> bool:
    with context.state.read() as connection:
        return any(str(row["subject"]).startswith(prefix) for row in open_findings(connection, KIND))


def _finding(contract: Contract, violation: Violation) -> Finding:
    count = f"{len(violation.rows)} 行" if violation.rows else "表结构"
    source_zh, source_en = contract.label_zh, contract.label_en
    return Finding(
        kind=KIND,
        subject=f"{contract.name}.{violation.column}:{violation.rule}",
        severity="warning",
        cause_zh=f"{source_zh}：列 {violation.column} 有 {count}不符合合同，发现 {violation.found}",
        cause_en=f"{source_en}: {violation}",
        remedy_zh=f"在来源系统更正（应为{violation.expected_zh}），或由 {contract.owner} 修改合同并提升版本",
        remedy_en=f"Correct it in the source, or let {contract.owner} change and re-version the contract",
    )
