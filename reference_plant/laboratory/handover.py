"""Drops each workbook into the stewards' inbox once, at its plant time."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from openpyxl.workbook import Workbook

from reference_plant.laboratory.filled_template import filled_template
from reference_plant.laboratory.old_sheet import old_sheet
from reference_plant.laboratory.schedule import Form, Handover, handovers, rows_of
from reference_plant.plant.simulation import load_plant

INBOX = Path("manual_inbox") / "lab_manual"
HANDED_IN = Path("var") / "plant" / "laboratory"


class Messenger:
    """Carries one site's workbooks; the laboratory's copy says that one was handed in."""

    def __init__(self, site_dir: Path) -> None:
        self._inbox = site_dir / INBOX
        self._handed_in = site_dir / HANDED_IN
        for folder in (self._inbox, self._handed_in):
            folder.mkdir(parents=True, exist_ok=True)
        self._plant = load_plant(site_dir)
        described = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
        start = datetime.fromisoformat(described["history_start_utc"])
        self._first_day = start.astimezone(self._plant.zone).date()

    def deliver(self, now_utc: datetime) -> list[Path]:
        """Hand in everything due by `now_utc` that was not handed in before; returns the new files."""
        due = handovers(self._plant, self._first_day, now_utc)
        return [self._hand_in(one) for one in due if not (self._handed_in / one.file_name).exists()]

    def _hand_in(self, handover: Handover) -> Path:
        rows = rows_of(handover, self._plant, self._first_day)
        book: Workbook = old_sheet(rows) if handover.form is Form.OLD else filled_template(rows)
        unfinished = self._handed_in / f"{handover.file_name}.part"
        book.save(unfinished)
        # Into the inbox whole or not at all. The copy comes second: a crash between the two hands the same
        # workbook in again, and a steward's inbox must stand that.
        arriving = self._inbox / f".{handover.file_name}.part"
        arriving.write_bytes(unfinished.read_bytes())
        arriving.replace(self._inbox / handover.file_name)
        unfinished.replace(self._handed_in / handover.file_name)
        return self._inbox / handover.file_name


def write_workbooks(site_dir: Path, now_utc: datetime) -> list[Path]:
    """Hand in everything of a site due by `now_utc`; returns the new files."""
    return Messenger(site_dir).deliver(now_utc)
