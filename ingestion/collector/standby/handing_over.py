"""The operator's order to hand the collecting over, and what the two say of themselves."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ingestion.collector.settings import SettingsError, load_settings
from ingestion.collector.standby.copies import PEER_FOLDER
from ingestion.collector.standby.pair import ORDER_NAME
from ingestion.collector.standby.pair_status import STATUS_NAME
from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from pathlib import Path

# The order is read ten times a second; then it seals, the peer takes the rest and begins.
WAIT_TAKEOVERS = 4
LEAST_WAIT_S = 10.0
_LOOK_EVERY_S = 0.2


def hand_over(config_path: Path) -> dict[str, Any]:
    """Have the running collector hand over to the other one; what it says of the pair afterwards.

    Raises:
        SettingsError: it has no pair, does not run, does not collect, hears nobody, or the other one did not
            begin.
    """
    standby = load_settings(config_path).standby
    if standby is None:
        msg = f"handing over: {config_path} has no standby block; there is no other collector"
        raise SettingsError(msg)
    folder = load_settings(config_path).state_dir / PEER_FOLDER
    found = _status(folder)
    if not found.get("is_active") or not found.get("peer_is_heard"):
        reason = "does not collect" if not found.get("is_active") else "does not hear the other one"
        msg = f"handing over: this collector {reason}; run it on the one that collects, while both run"
        raise SettingsError(msg)
    write_durably(folder / ORDER_NAME, b"")
    ends = time.monotonic() + max(LEAST_WAIT_S, WAIT_TAKEOVERS * standby.takeover_after_seconds)
    while time.monotonic() < ends:
        time.sleep(_LOOK_EVERY_S)
        found = _status(folder)
        peer = found.get("peer") or {}
        if not found.get("is_active") and peer.get("is_active"):
            return found
    (folder / ORDER_NAME).unlink(missing_ok=True)
    msg = "handing over: the other collector did not begin; look at its log. This one goes on by itself"
    raise SettingsError(msg)


def _status(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / STATUS_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
