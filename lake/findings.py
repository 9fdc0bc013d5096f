"""Findings: what a person must look at, each with its cause and remedy in Chinese and English.

A finding's key is stable, so that the same fault found again is the same row: it is opened once, seen many
times, and closed when it is no longer found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, RowMapping, select, update

from lake.state import insert_if_absent, utc_text
from lake.state_tables import findings

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One fault, named so that the same fault has the same `kind` and `subject`.

    Attributes:
        kind: what sort of fault, such as `unmapped_code`.
        subject: the row, tag, code, file or endpoint it names.
        severity: whether something is wrong (`error`) or may become so (`warning`).
        cause_zh: what was found, in Chinese.
        cause_en: what was found, in English.
        remedy_zh: what to do, in Chinese.
        remedy_en: what to do, in English.
    """

    kind: str
    subject: str
    severity: Severity
    cause_zh: str
    cause_en: str
    remedy_zh: str
    remedy_en: str

    def __post_init__(self) -> None:
        for name in ("kind", "subject", "cause_zh", "cause_en", "remedy_zh", "remedy_en"):
            if not getattr(self, name).strip():
                msg = f"finding {self.kind!r} on {self.subject!r}: found no {name}, expected text"
                raise ValueError(msg)

    @property
    def key(self) -> str:
        """The stable key of this fault."""
        return f"{self.kind}:{self.subject}"


def open_finding(connection: Connection, finding: Finding, *, now: datetime) -> str:
    """Open the finding, or note that it is still there; a closed one opens again.

    Returns:
        Its key.
    """
    at = utc_text(now)
    texts = {
        "severity": finding.severity,
        "cause_zh": finding.cause_zh,
        "cause_en": finding.cause_en,
        "remedy_zh": finding.remedy_zh,
        "remedy_en": finding.remedy_en,
        "last_seen_at_utc": at,
    }
    row = {"finding_key": finding.key, "kind": finding.kind, "subject": finding.subject, "opened_at_utc": at}
    if not insert_if_absent(connection, findings, {**row, **texts}):
        this = findings.c.finding_key == finding.key
        closed = this & findings.c.closed_at_utc.is_not(None)
        connection.execute(update(findings).where(closed).values(opened_at_utc=at, closed_at_utc=None))
        connection.execute(update(findings).where(this).values(**texts))
    return finding.key


def close_finding(connection: Connection, key: str, *, now: datetime) -> bool:
    """Close one finding; says whether it was open."""
    still_open = (findings.c.finding_key == key) & findings.c.closed_at_utc.is_(None)
    return (
        connection.execute(update(findings).where(still_open).values(closed_at_utc=utc_text(now))).rowcount
        == 1
    )


def close_absent(
    connection: Connection, kind: str, keys_seen: Iterable[str], *, now: datetime, subject_prefix: str = ""
) -> int:
    """Close the open findings of a kind that a complete look did not find again.

    Args:
        connection: a write transaction.
        kind: the kind that was looked for.
        keys_seen: keys found by this look.
        now: the plant's present instant.
        subject_prefix: only findings whose subject starts so, where the look covered only those.

    Returns:
        How many were closed.
    """
    seen = set(keys_seen)
    absent = [
        row["finding_key"]
        for row in open_findings(connection, kind)
        if row["finding_key"] not in seen and str(row["subject"]).startswith(subject_prefix)
    ]
    return sum(close_finding(connection, key, now=now) for key in absent)


def open_findings(connection: Connection, kind: str | None = None) -> list[RowMapping]:
    """The findings still open, oldest first; of one kind where it is given."""
    statement = select(findings).where(findings.c.closed_at_utc.is_(None))
    if kind is not None:
        statement = statement.where(findings.c.kind == kind)
    ordered = statement.order_by(findings.c.opened_at_utc, findings.c.finding_key)
    return list(connection.execute(ordered).mappings())
