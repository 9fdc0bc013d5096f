"""What an operator in the control zone sees: one small file a system, replaced as a whole."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

STATUS_NAME = "status.json"


@dataclass
class Failures:
    """How often something failed in a row, and when first and last."""

    count: int
    first_at: str
    last_at: str


@dataclass
class Status:
    """The present state of one system's collection. A failed tag is listed with what failed and why.

    Attributes:
        alarms: what an operator must act on, by name: a full disk, a certificate that ends, a clock.
        notes: by tag, what it is collected without, such as a deadband that the server refuses.
        certificate_days: how long the own certificate and the server's are good for.
        last_loss: the last notifications that the server could not send again.
        took_up: how connections began: new, resumed, or with subscriptions taken over.
        gaps: how many gaps and notes were told since the start, by reason.
    """

    system_id: str
    url: str
    connected: bool = False
    connections: int = 0
    last_error: str | None = None
    failed_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    failures: dict[str, dict[str, Failures]] = field(default_factory=dict)
    alarms: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    certificate_days: dict[str, float] = field(default_factory=dict)
    last_loss: str | None = None
    took_up: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)

    def fail(self, tag_id: str, what: str, reason: str) -> None:
        """List a tag as failed in one respect: node, subscription or history."""
        self.failed_tags.setdefault(tag_id, {})[what] = reason
        now = datetime.now(UTC).isoformat()
        known = self.failures.setdefault(tag_id, {}).setdefault(what, Failures(0, now, now))
        known.count += 1
        known.last_at = now

    def recover(self, tag_id: str, what: str) -> None:
        """Take a tag's failure in one respect off the list."""
        for listed in (self.failed_tags, self.failures):
            reasons: dict[str, Any] = listed.get(tag_id, {})
            reasons.pop(what, None)
            if not reasons:
                listed.pop(tag_id, None)

    def alarm(self, name: str, text: str | None) -> None:
        """Raise an alarm for the operator, or take it back."""
        if text is None:
            self.alarms.pop(name, None)
        else:
            self.alarms[name] = text

    def note_gap(self, reason: str, *, is_open: bool) -> None:
        """Count a gap told."""
        self.gaps[reason if is_open else f"{reason} (note)"] += 1

    def content(self, measured: dict[str, Any]) -> dict[str, Any]:
        """The file's content: what is kept here and what was measured just now."""
        return {
            "system_id": self.system_id,
            "url": self.url,
            "connected": self.connected,
            "connections": self.connections,
            "took_up": dict(self.took_up),
            "last_error": self.last_error,
            "alarms": self.alarms,
            "failed_tags": self.failed_tags,
            "tag_notes": self.notes,
            "certificate_days_left": self.certificate_days,
            "last_loss": self.last_loss,
            "failures": {
                tag_id: {what: vars(failures) for what, failures in of_tag.items()}
                for tag_id, of_tag in self.failures.items()
            },
            "gaps_since_start": dict(self.gaps),
            **measured,
            "written_at_real_utc": datetime.now(UTC).isoformat(),
        }


def write_status(directory: Path, content: dict[str, Any]) -> None:
    """Replace the status file. Not fsynced: after a power cut the next one is a second away.

    A disk full to the last block still takes it in the place of the one before: that alarm must be seen.

    Raises:
        OSError: not even that.
    """
    path, temporary = directory / STATUS_NAME, directory / f".{STATUS_NAME}.tmp"
    text = json.dumps(content, ensure_ascii=False, indent=1)
    try:
        temporary.write_text(text, encoding="utf-8")
    except OSError:
        temporary.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
    else:
        temporary.replace(path)
