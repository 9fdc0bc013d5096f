"""What a corrected file of code mappings would change, before it is taken over; and taking it over.

The rows that use each code, and the day by which each is mapped, are `ops_codes_used`; a correction is judged
by the same rules as the extract, so that what is refused here would be refused there.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from contracts.model import Contract
from ingestion.connectors.mapping_rules import RefusedMapping, judge_mappings
from ingestion.connectors.register import read_register
from ingestion.errors import PermanentError
from ingestion.value_findings import require_contract
from protocols.durable_files import write_durably

HISTORY = "history"
USED_SQL = """
select system_id, table_name, column_name, code_type, source_code, used_date, standard_code, row_count,
    quantity_kg, amount_cny
from ops.ops_codes_used
order by all
"""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Effect:
    """What one mapping changes in one column: its rows had `before` as standard code and would have `after`.

    Attributes:
        quantity_kg: mass in those rows; None where they state none in a known unit.
        amount_cny: money in those rows; None where they state none.
    """

    system_id: str
    table_name: str
    column_name: str
    code_type: str
    source_code: str
    before: str | None
    after: str | None
    row_count: int
    quantity_kg: float | None
    amount_cny: float | None


@dataclass(frozen=True)
class Preview:
    """What a file would change, and what of it would be refused."""

    effects: tuple[Effect, ...]
    refused: tuple[RefusedMapping, ...]


def preview(path: Path, contract: Contract, used: Iterable[Row], standing: Iterable[Row]) -> Preview:
    """What the file would change.

    Args:
        path: CSV or Excel, complete, with the headings of the site's file.
        contract: of the code mappings.
        used: rows of `ops_codes_used`.
        standing: the mappings of today, which stand in for lines that are refused.

    Raises:
        PermanentError: the file is no CSV or workbook.
        ContractBreachError: headings, types or keys are not those of the contract, so the extract would stop.
    """
    kept, refused = judge_mappings(read_mappings(path, contract), list(standing))
    return Preview(tuple(_effects(used, kept)), tuple(refused))


def read_mappings(path: Path, contract: Contract) -> list[Row]:
    """The mappings of a CSV or of the first sheet of a workbook, each with its line as `_source_row`."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / path.with_suffix(".csv").name
        text.write_bytes(mapping_csv(path))
        table = read_register(text, contract)
    require_contract(table.drop_columns("_source_row"), contract)
    rows: list[Row] = table.to_pylist()
    return rows


def mapping_csv(path: Path) -> bytes:
    """The file as CSV: itself, or the first sheet of a workbook.

    Raises:
        PermanentError: the file is missing, or neither CSV nor a workbook.
    """
    kind = path.suffix.lower()
    if kind not in {".csv", ".xlsx"}:
        msg = f"reading {path}: found {kind or 'no ending'}, expected .csv or .xlsx; save it as one of them"
        raise PermanentError(msg)
    try:
        return path.read_bytes() if kind == ".csv" else _sheet_csv(path)
    except OSError as error:
        msg = f"reading {path}: {error}; expected a CSV or a workbook of code mappings"
        raise PermanentError(msg) from error


def _sheet_csv(path: Path) -> bytes:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as error:
        msg = f"reading {path}: no workbook ({error}); expected an .xlsx; save it again from Excel"
        raise PermanentError(msg) from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    try:
        for cells in book.worksheets[0].iter_rows(values_only=True):
            writer.writerow([_cell(cell) for cell in cells])
    finally:
        book.close()
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    return "" if value is None else str(value).strip()


def _effects(used: Iterable[Row], mappings: Sequence[Row]) -> list[Effect]:
    by_code: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for mapping in mappings:
        by_code[mapping["source_system"], mapping["code_type"], mapping["source_code"]].append(mapping)
    totals: dict[tuple[Any, ...], list[Any]] = {}
    for row in used:
        code = (row["system_id"], row["code_type"], row["source_code"])
        after = _in_force(by_code.get(code, []), row["used_date"])
        if after == row["standard_code"]:
            continue
        key = (
            row["system_id"],
            row["table_name"],
            row["column_name"],
            *code[1:],
            row["standard_code"],
            after,
        )
        total = totals.setdefault(key, [0, None, None])
        for place, name in enumerate(("row_count", "quantity_kg", "amount_cny")):
            if row[name] is not None:
                total[place] = (total[place] or 0) + row[name]
    return [Effect(*key, *total) for key, total in totals.items()]


def _in_force(mappings: Iterable[Row], day: date) -> str | None:
    for mapping in mappings:
        ends = mapping["valid_to_date"]
        if mapping["valid_from_date"] <= day and (ends is None or day < ends):
            return str(mapping["standard_code"])
    return None


def take_over(path: Path, target: Path, *, author: str, now: datetime) -> Path | None:
    """Replace the site's mappings by the file; the old ones are kept with date and author.

    Returns:
        Where the old file is kept; None where there was none.
    """
    content = mapping_csv(path)
    kept = None
    if target.exists():
        name = re.sub(r"[^\w.-]+", "_", author)
        kept = target.parent / HISTORY / f"{target.stem}.{now:%Y%m%dT%H%M%SZ}.{name}.csv"
        kept.parent.mkdir(exist_ok=True)
        write_durably(kept, target.read_bytes())
    write_durably(target, content)
    return kept
