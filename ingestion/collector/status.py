"""What an operator in the control zone sees: one small file a system, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

STATUS_NAME = "status.json"


@dataclass
class Status:
    """The present state of one system's collection. A failed tag is listed with what failed and why."""

    system_id: str
    url: str
    connected: bool = False
    connections: int = 0
    last_error: str | None = None
    failed_tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def fail(self, tag_id: str, what: str, reason: str) -> None:
        """List a tag as failed in one respect: node, subscription or history."""
        self.failed_tags.setdefault(tag_id, {})[what] = reason

    def recover(self, tag_id: str, what: str) -> None:
        """Take a tag's failure in one respect off the list."""
        reasons = self.failed_tags.get(tag_id, {})
        reasons.pop(what, None)
        if not reasons:
            self.failed_tags.pop(tag_id, None)

    def content(self, measured: dict[str, Any]) -> dict[str, Any]:
        """The file's content: what is kept here and what was measured just now."""
        return {
            "system_id": self.system_id,
            "url": self.url,
            "connected": self.connected,
            "connections": self.connections,
            "last_error": self.last_error,
            "failed_tags": self.failed_tags,
            **measured,
            "written_at_real_utc": datetime.now(UTC).isoformat(),
        }


def write_status(directory: Path, content: dict[str, Any]) -> None:
    """Replace the status file. Not fsynced: after a power cut the next one is a second away."""
    temporary = directory / f".{STATUS_NAME}.tmp"
    temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    temporary.replace(directory / STATUS_NAME)
