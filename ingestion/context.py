"""What an extract is given and what it answers: values only, nothing read from the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from lake.layout import LakePaths
from lake.state import StateStore
from protocols.clock import Clock


@dataclass(frozen=True)
class ExtractContext:
    """Everything an extract may use.

    Attributes:
        lake: where tables are.
        state: where findings go.
        secrets: a secret's value by its name; raises where there is none.
        clock: the plant's clock.
        site_dir: the site, for registers and the manual inbox.
        run_id: who asked, for commit metadata.
        accept_shrink: an operator's word that a much smaller source is right, for this run only.
    """

    lake: LakePaths
    state: StateStore
    secrets: Callable[[str], str]
    clock: Clock
    site_dir: Path
    run_id: str
    accept_shrink: bool = False


class Outcome(StrEnum):
    """What an extract found; an empty result says which emptiness it was."""

    LANDED = "landed"
    UNCHANGED = "unchanged"
    EMPTY_WINDOW = "empty_window"  # the source has rows, none since the cursor less its overlap
    EMPTY_SOURCE = "empty_source"  # the source has no rows at all


@dataclass(frozen=True)
class ExtractReport:
    """What one extract of one table did.

    Attributes:
        table: the raw table.
        outcome: what was found.
        rows_read: rows the source gave.
        rows_upserted: row versions landed.
        rows_deleted: deletions landed.
        extract_sequence: of the commit; of the last one where nothing landed.
        delta_version: of the commit; None where nothing landed.
        watermark: the cursor up to which the source is read, as text; None for tables without a cursor.
        first_event_at_utc: earliest cursor instant among the landed rows, where the cursor is an instant.
        last_event_at_utc: latest of the same.
        warnings: values outside their list or range, and columns the contract does not know.
        rows_quarantined: rows of workbooks refused by this run.
    """

    table: str
    outcome: Outcome
    rows_read: int
    rows_upserted: int
    rows_deleted: int
    extract_sequence: int
    delta_version: int | None = None
    watermark: str | None = None
    first_event_at_utc: datetime | None = None
    last_event_at_utc: datetime | None = None
    warnings: tuple[str, ...] = ()
    rows_quarantined: int = 0

    def with_more(self, more: ExtractReport | None) -> ExtractReport:
        """This report and that of what the same run did next, as one."""
        if more is None:
            return self
        return replace(
            more,
            outcome=Outcome.LANDED if Outcome.LANDED in {self.outcome, more.outcome} else more.outcome,
            rows_read=self.rows_read + more.rows_read,
            rows_upserted=self.rows_upserted + more.rows_upserted,
            rows_deleted=self.rows_deleted + more.rows_deleted,
            rows_quarantined=self.rows_quarantined + more.rows_quarantined,
            delta_version=more.delta_version if more.delta_version is not None else self.delta_version,
            warnings=tuple(dict.fromkeys((*self.warnings, *more.warnings))),
        )
