"""What every part of the exports is given about the plant it runs in."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from exports.errors import SpecError
from exports.render.hj212 import Device
from exports.secrets import SiteSecrets
from lake.layout import LakePaths
from lake.state import StateStore
from protocols.clock import Clock


@dataclass(frozen=True)
class ExportSite:
    """One plant, seen from its exports.

    Attributes:
        site_id: names the site in the log and in reports that cover all of it.
        root: the site directory; an endpoint's `ca_file` lies within it.
        zone: the plant's zone.
        environment: which environment this is; endpoints list those they are meant for.
        lake: where tables lie.
        state: outbox and ledger.
        clock: the plant's time.
        secrets: credentials by name.
        devices: who speaks for which outlet in HJ 212.
    """

    site_id: str
    root: Path
    zone: ZoneInfo
    environment: str
    lake: LakePaths
    state: StateStore
    clock: Clock
    secrets: SiteSecrets
    devices: Mapping[str, Device]


def load_devices(outlets_csv: Path) -> dict[str, Device]:
    """The HJ 212 device of each outlet that has one, from the site's register; none without a register.

    Raises:
        SpecError: a column is missing.
    """
    if not outlets_csv.exists():
        return {}
    with outlets_csv.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        missing = {"outlet_id", "mn", "st_code", "responsible_person_name"} - set(reader.fieldnames or ())
        if missing:
            msg = f"{outlets_csv}: found columns {reader.fieldnames}, expected also {sorted(missing)}"
            raise SpecError(msg)
        return {
            row["outlet_id"]: Device(row["mn"], row["st_code"], row["responsible_person_name"])
            for row in reader
            if row["mn"]
        }
