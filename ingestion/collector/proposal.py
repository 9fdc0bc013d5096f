"""From what a server says to rows of a tag table: readable unique ids, labels, and what differs from before.

What an engineer has written stays as it stands. Rows are added below it, and where the server says otherwise
the difference is told and not applied: the plant's unit may be right and the server's wrong.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.collector.tag_table import COLUMNS, STATES_COLUMN, TagTableError
from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from asyncua import ua

    from ingestion.collector.node_facts import NodeFacts

USUAL_SAMPLING_MS = 1000
_LEAST_SAMPLING_MS = 50
# The server's queue holds this long, so that a short loss of the connection needs no history.
_QUEUE_S = 600
_QUEUE_MAX = 1000
_READABLE_ID = re.compile(r"[\w.-]{1,64}")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_COMPARED = ("unit", "range_low", "range_high", "data_type", "has_history")
Row = dict[str, str]


@dataclass(frozen=True)
class Difference:
    """One column of one existing row that the server sees otherwise."""

    tag_id: str
    column: str
    table: str
    server: str


@dataclass(frozen=True)
class Proposal:
    """A tag table as it is proposed.

    Attributes:
        columns: its heading.
        existing: rows that stood there, untouched.
        additions: rows for variables that no row names.
        differences: what the server says otherwise of existing rows; not applied.
        absent: tags whose node was not found where it was looked for.
    """

    columns: tuple[str, ...]
    existing: tuple[Row, ...]
    additions: tuple[Row, ...]
    differences: tuple[Difference, ...]
    absent: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write existing rows and additions, whole and durably."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows([*self.existing, *self.additions])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, text.getvalue().encode())


def read_rows(path: Path) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """Heading and rows of a tag table as text; none of both where there is no file.

    Raises:
        TagTableError: the file cannot be read.
    """
    if not path.exists():
        return (), ()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            return tuple(reader.fieldnames or ()), tuple(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"reading tag table {path}: {error}"
        raise TagTableError(msg) from error


def propose(
    facts: Sequence[NodeFacts],
    namespaces: Sequence[str],
    columns: tuple[str, ...],
    existing: tuple[Row, ...],
    *,
    is_whole: bool = True,
) -> Proposal:
    """The proposal for variables that were found, given the table that stands.

    Args:
        facts: the variables, readable now or in history.
        namespaces: the server's namespace URIs, by index.
        columns: heading of the table that stands; empty where there is none.
        existing: its rows.
        is_whole: whether everything was looked at, so that a tag not found is absent.
    """
    by_node = {_node_id(one.variable.node_id, namespaces): one for one in facts}
    known = {row.get("node_id", "") for row in existing}
    new = [(node_id, one) for node_id, one in by_node.items() if node_id not in known]
    names = unique_ids([one for _, one in new], taken={row.get("tag_id", "") for row in existing})
    additions = [_row(name, node_id, one) for name, (node_id, one) in zip(names, new, strict=True)]
    heading = columns or COLUMNS
    if any(row[STATES_COLUMN] for row in additions) and STATES_COLUMN not in heading:
        heading = (*heading, STATES_COLUMN)
    kept = tuple({column: row.get(column, "") for column in heading} for row in additions)
    differences = [
        difference
        for row in existing
        if row.get("node_id") in by_node
        for difference in _differences(row, by_node[row["node_id"]])
    ]
    absent = tuple(row["tag_id"] for row in existing if row.get("node_id") not in by_node) if is_whole else ()
    return Proposal(heading, existing, kept, tuple(differences), absent)


def unique_ids(facts: Sequence[NodeFacts], taken: Iterable[str] = ()) -> list[str]:
    """A readable id for each variable: its own string id, else as much of its path as makes it unique."""
    used = set(taken)
    longest = max((len(one.variable.path) for one in facts), default=1)
    names: list[str | None] = [_own_id(one) for one in facts]
    counts = Counter(names)
    names = [name if name is not None and counts[name] == 1 and name not in used else None for name in names]
    used |= {name for name in names if name is not None}
    for length in range(min(2, longest), longest + 1):
        candidates = {
            position: _path_id(facts[position], length) for position, name in enumerate(names) if name is None
        }
        counts = Counter(candidates.values())
        for position, name in candidates.items():
            if counts[name] == 1 and name not in used:
                names[position] = name
                used.add(name)
    return [
        name if name is not None else _numbered(one, used) for name, one in zip(names, facts, strict=True)
    ]


def _own_id(facts: NodeFacts) -> str | None:
    identifier = facts.variable.node_id.Identifier
    return identifier if isinstance(identifier, str) and _READABLE_ID.fullmatch(identifier) else None


def _path_id(facts: NodeFacts, length: int) -> str:
    parts = [re.sub(r"[^\w-]+", "_", part).strip("_") or "_" for part in facts.variable.path[-length:]]
    return ".".join(parts)


def _numbered(facts: NodeFacts, used: set[str]) -> str:
    name, number = _path_id(facts, len(facts.variable.path)), 2
    while f"{name}_{number}" in used:
        number += 1
    used.add(f"{name}_{number}")
    return f"{name}_{number}"


def _row(tag_id: str, node_id: str, facts: NodeFacts) -> Row:
    sampling_ms = _sampling_ms(facts)
    path = facts.variable.path
    return {
        "tag_id": tag_id,
        "node_id": node_id,
        "label_zh": _label(facts.texts, is_chinese=True) or tag_id,
        "label_en": _label(facts.texts, is_chinese=False) or tag_id,
        **_server_columns(facts),
        "sampling_ms": str(sampling_ms),
        "queue_size": str(min(_QUEUE_MAX, max(10, math.ceil(_QUEUE_S * 1000 / sampling_ms)))),
        "area": _identifier(path[0]) if len(path) > 1 else "unassigned",
        "equipment_id": path[-2] if len(path) > 2 else "",
        STATES_COLUMN: "; ".join(f"{number}={name}" for number, name in sorted(facts.states.items())),
    }


def _server_columns(facts: NodeFacts) -> Row:
    return {
        "unit": facts.unit or "",
        "range_low": _number(facts.low),
        "range_high": _number(facts.high),
        "data_type": facts.data_type,
        "has_history": "true" if facts.has_history else "false",
    }


def _differences(row: Mapping[str, str], facts: NodeFacts) -> list[Difference]:
    server = _server_columns(facts)
    found = []
    for column in _COMPARED:
        here, there = row.get(column, ""), server[column]
        is_told = there != "" or column in ("data_type", "has_history")
        if is_told and not _same(here, there):
            found.append(Difference(row["tag_id"], column, here, there))
    return found


def _same(here: str, there: str) -> bool:
    try:
        return float(here) == float(there)
    except ValueError:
        return here == there


def _sampling_ms(facts: NodeFacts) -> int:
    if facts.sampling_ms <= 0 or not math.isfinite(facts.sampling_ms):
        return USUAL_SAMPLING_MS
    return max(_LEAST_SAMPLING_MS, math.ceil(facts.sampling_ms))


def _label(texts: Sequence[ua.LocalizedText], *, is_chinese: bool) -> str | None:
    """The first text in the language; where its locale does not say which, its letters do."""
    for text in texts:
        locale = (text.Locale or "").lower()
        looks_chinese = locale.startswith("zh") or (not locale and bool(_CHINESE.search(text.Text)))
        if looks_chinese is is_chinese and (is_chinese or not _CHINESE.search(text.Text)):
            return " ".join(text.Text.split())
    return None


def _identifier(name: str) -> str:
    return re.sub(r"[^\w]+", "_", name).strip("_").lower() or "unassigned"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _node_id(node_id: ua.NodeId, namespaces: Sequence[str]) -> str:
    rest = node_id.to_string().split(";", 1)[-1] if node_id.NamespaceIndex else node_id.to_string()
    return f"nsu={namespaces[node_id.NamespaceIndex]};{rest}" if node_id.NamespaceIndex else rest
