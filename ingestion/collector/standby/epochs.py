"""The epochs of the pair that must outlive the process: one file, replaced durably before an activation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ingestion.collector.settings_base import SettingsError
from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from pathlib import Path

EPOCHS_NAME = "epochs.json"


@dataclass(frozen=True)
class Epochs:
    """What is known of who collected when.

    Attributes:
        epoch: the highest heard of.
        led: that of our own last activation; 0: never.
        peer_led: that of the peer's; 0: never as far as we heard.
    """

    epoch: int = 0
    led: int = 0
    peer_led: int = 0


def load_epochs(folder: Path) -> Epochs:
    """What was written last; zeros when nothing was.

    Raises:
        SettingsError: the file is damaged.
    """
    path = folder / EPOCHS_NAME
    if not path.exists():
        return Epochs()
    try:
        return Epochs(**{name: int(value) for name, value in json.loads(path.read_bytes()).items()})
    except (ValueError, TypeError, AttributeError) as error:
        msg = f"reading {path}: {error}; delete it while the other collector runs, which knows the epoch"
        raise SettingsError(msg) from error


def save_epochs(folder: Path, epochs: Epochs) -> None:
    """Replace the file, durably."""
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / EPOCHS_NAME, json.dumps(asdict(epochs)).encode())
