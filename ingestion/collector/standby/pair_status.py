"""What an operator in the control zone sees of the pair: a small file, an alarm when nobody stands by."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.collector.standby.election import Standing
    from ingestion.collector.standby.link import PeerLink
    from ingestion.collector.standby.peer_view import PeerView

STATUS_NAME = "status.json"
_log = logging.getLogger(__name__)


def no_redundancy(view: PeerView, link: PeerLink, *, is_heard: bool) -> str | None:
    """Why the other collector could not take over now; None when it could."""
    if not is_heard:
        silent_s, reason = view.silent_s, link.last_error or "nothing heard yet"
        return (
            f"无冗余：另一台采集器 {silent_s:.0f} 秒无应答（{reason}），可能双方都在采集；"
            "检查该机器与两机间网络 / "
            f"no redundancy: the other collector is silent for {silent_s:.0f} s ({reason}), both may be "
            "collecting; look at that machine and the network between the two"
        )
    if link.last_error is not None and not link.has_all:
        return (
            f"另一台采集器未收到最新数据段：{link.last_error} / "
            f"the other collector lacks our last segments: {link.last_error}"
        )
    return None


def write_pair_status(
    folder: Path, standing: Standing, view: PeerView, link: PeerLink, alarm: str | None, *, is_heard: bool
) -> None:
    """Replace the file; a disk that refuses is told in the log.

    Args:
        folder: where it lies.
        standing: our own.
        view: what is known of the peer.
        link: the connections.
        alarm: see `no_redundancy`.
        is_heard: whether the peer is heard.
    """
    content = {
        **standing.fields(),
        "peer": None if view.standing is None else view.standing.fields(),
        "peer_is_heard": is_heard,
        "peer_silent_s": round(view.silent_s, 1),
        "peer_has_all": link.has_all,
        "alarms": {} if alarm is None else {"no_redundancy": alarm},
        "written_at_real_utc": datetime.now(UTC).isoformat(),
    }
    temporary = folder / f".{STATUS_NAME}.tmp"
    try:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        temporary.replace(folder / STATUS_NAME)
    except OSError:
        _log.exception("standby: writing the status")
