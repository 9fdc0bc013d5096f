"""What landing is told and what it answers: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ingestion.gateway.receiver import VerifiedSegment
from ingestion.hot_rules import Timing
from ingestion.outlets import Outlet
from lake.layout import LakePaths
from lake.state import StateStore
from protocols.clock import Clock


@dataclass(frozen=True)
class LandingSpec:
    """Everything landing must be told.

    Attributes:
        inbox: the folder the gateway writes to.
        verify_key: the control zone's public gateway key.
        lake: where tables go.
        state: the state store, migrated.
        clock: the plant's clock.
        zone: the plant's zone; partition dates are in it.
        outlets: whose moments are observed.
        timing: when a moment is observed; by default recent means ten minutes of the plant, or half a minute
            of this machine where plant time runs fast.
        commit_every_s: real seconds that points of a stream are gathered before a commit.
        commit_rows: rows of one commit at most; when more are ready it is made at once.
        poll_s: real seconds between two looks into the inbox.
        gap_wait_s: real seconds that a missing number is waited for.
    """

    inbox: Path
    verify_key: Ed25519PublicKey
    lake: LakePaths
    state: StateStore
    clock: Clock
    zone: ZoneInfo
    outlets: tuple[Outlet, ...] = ()
    timing: Timing | None = None
    commit_every_s: float = 2.0
    commit_rows: int = 1_000_000
    poll_s: float = 0.3
    gap_wait_s: float = 5.0

    @property
    def observation_timing(self) -> Timing:
        """The timing given, or the default for this clock's speed."""
        return self.timing or Timing(live_window=timedelta(seconds=max(600.0, 30.0 * self.clock.speed)))


@dataclass(frozen=True)
class Landed:
    """One commit: which numbers of which stream, or that they were in the table already."""

    stream: str
    first_sequence: int
    last_sequence: int
    rows: int
    delta_version: int
    is_refill: bool
    was_repeat: bool


@dataclass
class LandingReport:
    """What one look into the inbox did."""

    landed: list[Landed] = field(default_factory=list)
    gaps: int = 0
    quarantined: int = 0
    observations: int = 0
    held_elsewhere: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows written by this look."""
        return sum(landed.rows for landed in self.landed if not landed.was_repeat)

    @property
    def did_something(self) -> bool:
        """Whether another look may find more."""
        return bool(self.landed)


@dataclass(frozen=True)
class ReadSegment:
    """A verified segment with its rows."""

    segment: VerifiedSegment
    rows: pa.Table

    @property
    def sequence(self) -> int:
        """Its number in the stream."""
        return self.segment.manifest.sequence

    @property
    def kind(self) -> str:
        """Points, alarms or tags."""
        return self.segment.manifest.kind
