"""A complete reading that lost more than its contract believes: kept aside, told, and landed by nobody.

The finding stays until a steward accepts the loss (`chemlink extract … --accept-shrink`) or the source is
whole again; then the kept reading goes as well.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.model import Contract
from ingestion.context import ExtractContext
from ingestion.errors import ShrunkenSourceError
from lake.findings import Finding, close_finding, open_finding

KIND = "shrunken_source"
_TOO_FEW_TO_JUDGE = 10  # below this many rows only emptiness is suspicious


def refuse_shrunken(contract: Contract, reading: pa.Table, *, last: int, context: ExtractContext) -> None:
    """Refuse to believe that most of a table is gone.

    Args:
        contract: says which share must be left.
        reading: every row, or the key of every row, that the source has now.
        last: how many rows the last extract left.
        context: where readings are kept aside and findings go.

    Raises:
        ShrunkenSourceError: the source is empty though it had rows, or has less than the contract's share.
    """
    found = reading.num_rows
    is_loss = found < last * contract.least_share and (found == 0 or last >= _TOO_FEW_TO_JUDGE)
    kept = kept_aside(contract, context)
    if context.accept_shrink or not is_loss:
        if kept.exists():
            with context.state.begin() as connection:
                close_finding(connection, f"{KIND}:{contract.name}", now=context.clock.now())
            kept.unlink()
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = kept.with_suffix(".unfinished")
    pq.write_table(reading, unfinished)
    unfinished.replace(kept)
    with context.state.begin() as connection:
        open_finding(connection, _finding(contract, found, last, kept), now=context.clock.now())
    raise ShrunkenSourceError(contract.name, found=found, last=last, least_share=contract.least_share)


def kept_aside(contract: Contract, context: ExtractContext) -> Path:
    """Where the last refused reading of a table lies."""
    return context.lake.root / "refused_readings" / f"{contract.name}.parquet"


def _finding(contract: Contract, found: int, last: int, kept: Path) -> Finding:
    command = f"chemlink extract {contract.name} --accept-shrink"
    return Finding(
        kind=KIND,
        subject=contract.name,
        severity="error",
        cause_zh=(
            f"{contract.label_zh}：来源现有 {found} 行，上次为 {last} 行，"
            f"合同要求至少剩 {contract.least_share:.0%}。本次读取未入库，保存在 {kept.name}"
        ),
        cause_en=(
            f"{contract.label_en}: the source has {found} row(s), the last extract left {last}, the contract "
            f"believes no less than {contract.least_share:.0%}. Nothing landed; {kept.name} keeps the reading"
        ),
        remedy_zh=f"请 {contract.owner} 核对来源：若确已删除，运行 {command}；否则修复来源，下次抽取自动恢复",
        remedy_en=(
            f"Let {contract.owner} look at the source: if the rows are truly gone, run {command}; else "
            "repair it, and the next extract goes on by itself"
        ),
    )
