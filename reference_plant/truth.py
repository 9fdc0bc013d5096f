"""Writes down everything a plant produced, to be compared with what arrived."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from reference_plant.plant.alarms import alarm_events, alarm_rows
from reference_plant.plant.simulation import load_plant


def write_truth(site_dir: Path) -> list[Path]:
    """Writes values and alarms of each system from the start of history to the end of production.

    Returns:
        The files: `<system_id>.parquet` and `<system_id>.alarms.parquet` in var/plant/truth.
    """
    described = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
    start = datetime.fromisoformat(described["history_start_utc"])
    end = datetime.fromisoformat(described["until_utc"])
    plant = load_plant(site_dir)
    folder = site_dir / "var" / "plant" / "truth"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for system_id, tags in plant.systems.items():
        values = plant.produced([tag.tag_id for tag in tags], start, end)
        alarms = alarm_rows(plant, system_id, alarm_events(plant, system_id, start, end))
        for name, table in ((system_id, values), (f"{system_id}.alarms", alarms)):
            path = folder / f"{name}.parquet"
            pq.write_table(table, path, compression="zstd")
            written.append(path)
    return written
