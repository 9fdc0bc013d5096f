"""What a source's message becomes, before it is known whether it is new: values only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

NO_TICKS = -1


@dataclass(frozen=True)
class SourcePoint:
    """One value of one tag. Instants are ticks of 100 ns since 1601; `status` is an OPC UA status code."""

    tag_id: str
    ticks: int
    number: float | None
    text: str | None
    status: int = 0
    server_ticks: int = NO_TICKS

    @property
    def digest(self) -> int:
        """64 bits over what it says, to tell a repetition from a correction."""
        return digest(self.number, self.text, self.status)


@dataclass(frozen=True)
class SourceEvent:
    """One thing that happened at one instant."""

    event_id: str
    source_name: str
    event_type: str
    ticks: int
    message: str | None
    link: str | None
    attributes: str | None
    subject: str

    @property
    def digest(self) -> int:
        """64 bits over what it says."""
        return digest(self.source_name, self.event_type, self.message, self.link, self.attributes)


@dataclass(frozen=True)
class SourceGap:
    """What is known to be missing between two instants; `tag_id` None means the whole system."""

    from_ticks: int
    until_ticks: int
    reason: str
    detail: str
    tag_id: str | None = None


@dataclass(frozen=True)
class Refusal:
    """What could not be taken, and why in both languages."""

    subject: str
    reason_code: str
    reason_zh: str
    reason_en: str
    content: str
    tag_id: str | None = None
    ticks: int | None = None


@dataclass
class Taken:
    """Everything one message became."""

    points: list[SourcePoint] = field(default_factory=list)
    events: list[SourceEvent] = field(default_factory=list)
    gaps: list[SourceGap] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def digest(*parts: float | str | None) -> int:
    """A signed 64-bit hash of values; the same after they were sealed and read back."""
    plain = repr(tuple(float(part) if isinstance(part, int) else part for part in parts))
    hashed = hashlib.blake2b(plain.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "big", signed=True)
