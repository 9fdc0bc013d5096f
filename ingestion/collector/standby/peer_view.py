"""What this collector knows of the other one: its last standing, and for how long nothing was heard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ingestion.collector.standby.election import Heard, Standing

if TYPE_CHECKING:
    from datetime import datetime

    from protocols.clock import Clock

# A turn that comes later than this was not ours to take: the process stood still, and could not have heard.
STOOD_STILL_S = 1.0


class PeerView:
    """Follows the peer.

    Args:
        clock: plant time.
        unreached_after_s: how long the peer may be without one of its servers.
    """

    def __init__(self, clock: Clock, unreached_after_s: float) -> None:
        self._clock, self._unreached_after_s = clock, unreached_after_s
        self._heard_at = self._looked_at = time.monotonic()
        self._both_wait_since: float | None = None
        self._unreached_since: float | None = None
        self.standing: Standing | None = None
        self.heard_at_utc: datetime = clock.now()

    def hear(self, standing: Standing) -> None:
        """The peer has told its standing."""
        self._heard_at = time.monotonic()
        self.heard_at_utc = self._clock.now()
        self.standing = standing

    @property
    def silent_s(self) -> float:
        """How long nothing was heard."""
        return time.monotonic() - self._heard_at

    def is_heard(self, within_s: float) -> bool:
        """Whether it was heard lately."""
        return self.standing is not None and self.silent_s < within_s

    def look(self, *, is_active: bool) -> None:
        """Take a turn: what lasts since when.

        Args:
            is_active: whether we collect.
        """
        now = time.monotonic()
        if now - self._looked_at > STOOD_STILL_S:
            self._heard_at += now - self._looked_at
        self._looked_at = now
        peer = self.standing
        both_wait = peer is not None and not peer.is_active and not is_active
        self._both_wait_since = (self._both_wait_since or now) if both_wait else None
        lacks = peer is not None and peer.is_active and bool(peer.unreached)
        self._unreached_since = (self._unreached_since or now) if lacks else None

    @property
    def lacks_a_server(self) -> bool:
        """Whether the peer collects and has been without one of its servers for too long."""
        since = self._unreached_since
        return since is not None and time.monotonic() - since >= self._unreached_after_s

    def heard(self, *, may_claim: bool) -> Heard:
        """For the election."""
        since = self._both_wait_since
        waited_s = 0.0 if since is None else time.monotonic() - since
        return Heard(self.standing, self.silent_s, waited_s, may_claim)
