"""Making an empty site directory: every file that the platform looks for, with comments in both languages.

The register and mapping files get their headings from the contracts, so that they never disagree.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Template

from orchestration.site import SettingsError, read_site

TEMPLATE = Path(__file__).parent / "site_template"
CONTRACTS = Path(__file__).parents[1] / "ingestion" / "systems"
FOLDERS = ("tags", "pki/own", "pki/trusted", "manual_inbox/lab_manual", "manual_results", "var")
TAG_COLUMNS = (
    "tag_id", "node_id", "label_zh", "label_en", "unit", "range_low", "range_high", "data_type",
    "sampling_ms", "queue_size", "area", "equipment_id", "has_history",
)  # fmt: skip


@dataclass(frozen=True)
class NewSite:
    """What must be known of a plant before anything else."""

    site_id: str
    label_zh: str
    label_en: str
    kind: str
    park: str | None
    county: str
    first_date: date

    def placeholders(self) -> Mapping[str, str]:
        """The values of the template's placeholders."""
        return {
            "SITE_ID": self.site_id,
            "LABEL_ZH": _quoted(self.label_zh),
            "LABEL_EN": _quoted(self.label_en),
            "KIND": self.kind,
            "PARK": _quoted(self.park),
            "COUNTY": _quoted(self.county),
            "FIRST_DATE": self.first_date.isoformat(),
        }


def _quoted(text: str | None) -> str:
    """Text as YAML reads it back, whatever letters it holds: JSON is YAML."""
    return json.dumps(text, ensure_ascii=False)


def make_site(folder: Path, new: NewSite) -> list[Path]:
    """Make the site directory and return the files written.

    Raises:
        SettingsError: the folder holds a site already, or the values do not make a valid one.
    """
    if (folder / "site.yml").exists():
        msg = f"{folder} holds a site already; choose another folder, nothing was changed"
        raise SettingsError(msg)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "secrets").mkdir(mode=0o700, exist_ok=True)
    written = [_fill(source, folder, new) for source in sorted(TEMPLATE.rglob("*")) if source.is_file()]
    written += _write_headings(folder)
    read_site(folder / "site.yml")
    return written


def _fill(source: Path, folder: Path, new: NewSite) -> Path:
    target = folder / source.relative_to(TEMPLATE)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = Template(source.read_text(encoding="utf-8")).safe_substitute(new.placeholders())
    target.write_text(text, encoding="utf-8")
    return target


def _write_headings(folder: Path) -> list[Path]:
    from contracts.loading import load_contracts

    written = [_write_heading(folder / "tags" / "example.csv.template", TAG_COLUMNS)]
    for contract in load_contracts(CONTRACTS / "site_register"):
        place = "mappings" if contract.table == "code_mappings" else "registers"
        columns = tuple(column.source_name for column in contract.columns)
        written.append(_write_heading(folder / place / f"{contract.table}.csv", columns))
    return written


def _write_heading(path: Path, columns: tuple[str, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerow(columns)
    return path
