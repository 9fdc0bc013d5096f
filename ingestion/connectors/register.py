"""The site's own registers: CSV files that stewards keep, each a complete table.

The file is UTF-8 with a heading row of the contract's source names; a byte order mark is let pass.
Not supported: other encodings, other separators.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from contracts.model import Contract
from ingestion.change_log import ChangeLog
from ingestion.connectors.conversion import ConversionError, convert
from ingestion.connectors.mapping_refusals import MAPPINGS, sound_mappings, tell
from ingestion.context import ExtractContext, ExtractReport
from ingestion.errors import ContractBreachError, PermanentError
from ingestion.snapshots import land_snapshot
from ingestion.value_findings import record, require_contract


def extract_register(contract: Contract, context: ExtractContext) -> ExtractReport:
    """Land what changed in one register; a code mapping that is wrong is set aside by itself.

    Raises:
        PermanentError: the file is missing or is no CSV.
        ContractBreachError: headings, types or keys are not what the contract says; nothing landed.
        ShrunkenSourceError: the file has far fewer rows than last time; nothing landed.
    """
    rows = read_register(context.site_dir / contract.source_name, contract)
    log = ChangeLog(contract, context.lake)
    if contract.name != MAPPINGS:
        return _land(log, rows, context)
    sound, refused = sound_mappings(rows, log)
    report = _land(log, sound, context)
    tell(log, refused, context)
    return replace(report, rows_read=rows.num_rows, rows_quarantined=len(refused))


def _land(log: ChangeLog, rows: pa.Table, context: ExtractContext) -> ExtractReport:
    violations = require_contract(rows.drop_columns("_source_row"), log.contract)
    report = land_snapshot(log, rows, context, source_file=log.contract.source_name)
    record(log, violations, context, is_complete=True)
    return report


def read_register(path: Path, contract: Contract) -> pa.Table:
    """The rows of a register under our names, with the line of each as `_source_row`.

    Raises:
        PermanentError: the file is missing or unreadable.
        ContractBreachError: a heading is missing or unknown, or a value is not of its column's type.
    """
    headings, rows = _read_csv(path, contract)
    _require_headings(headings, contract)
    arrays, problems = {}, []
    for column in contract.columns:
        position = headings.index(column.source_name)
        text = pa.chunked_array([[cells[position] or None for _, cells in rows]], type=pa.string())
        try:
            arrays[column.name] = convert(text, column)
        except ConversionError as error:
            problems.append(str(error))
    if problems:
        raise ContractBreachError(contract.name, problems)
    return pa.table({**arrays, "_source_row": pa.array([line for line, _ in rows], pa.int64())})


def _read_csv(path: Path, contract: Contract) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The headings and the rows that are not empty, each with its line number."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            headings = [heading.strip() for heading in next(reader, [])]
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = (
            f"reading {path} for {contract.name}: {error}; expected a UTF-8 CSV with the contract's headings"
        )
        raise PermanentError(msg) from error
    ragged = [f"line {line} has {len(cells)} cells" for line, cells in rows if len(cells) != len(headings)]
    if ragged:
        raise ContractBreachError(
            contract.name, [f"{path.name}: {r}, expected {len(headings)}" for r in ragged]
        )
    return headings, rows


def _require_headings(headings: list[str], contract: Contract) -> None:
    declared = [column.source_name for column in contract.columns]
    problems = [f"heading {name!r} is missing" for name in declared if name not in headings]
    problems += [f"heading {name!r} is not in the contract" for name in headings if name not in declared]
    problems += [f"heading {name!r} appears twice" for name in set(headings) if headings.count(name) > 1]
    if problems:
        raise ContractBreachError(contract.name, problems)
