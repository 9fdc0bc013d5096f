"""Who of the two collects: rules without clock, network or disk.

Each activation has an epoch above all that were heard of. Of two that are active the higher epoch stays, and
of equal ones the main; so when a cut link heals, or a frozen process wakes, exactly one goes on. While they
cannot hear each other both may be active: that is told as an alarm on both sides, and landing takes what both
collected once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Act(Enum):
    """What to do now."""

    STAY = "stay"
    ACTIVATE = "activate"
    STEP_DOWN = "step_down"


@dataclass(frozen=True)
class Standing:
    """What one of the two says of itself.

    Attributes:
        collector_id: who.
        is_main: its preference.
        is_active: whether it collects.
        epoch: the highest it ever took or heard of.
        led_epoch: the epoch of its last own activation; 0: never.
        yields: it stepped down by order, so that the other takes over.
        unreached: the systems it collects and has no session with.
    """

    collector_id: str
    is_main: bool
    is_active: bool = False
    epoch: int = 0
    led_epoch: int = 0
    yields: bool = False
    unreached: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[int, bool]:
        """Of two active ones the higher stays; of two waiting ones it goes first: its copy is newer."""
        return self.led_epoch, self.is_main

    def fields(self) -> dict[str, Any]:
        """As it is sent."""
        return {**vars(self), "unreached": list(self.unreached)}

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Standing:
        """From what was sent.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        return cls(
            collector_id=str(fields["collector_id"]),
            is_main=bool(fields["is_main"]),
            is_active=bool(fields["is_active"]),
            epoch=int(fields["epoch"]),
            led_epoch=int(fields["led_epoch"]),
            yields=bool(fields["yields"]),
            unreached=tuple(str(system_id) for system_id in fields["unreached"]),
        )


@dataclass(frozen=True)
class Heard:
    """What is known of the peer.

    Attributes:
        standing: its last one; none: never heard since the start.
        silent_s: since it was last heard, or since the start.
        both_wait_s: how long both have been waiting.
        may_claim: this one reaches all servers, of which the peer has been without one for too long.
    """

    standing: Standing | None
    silent_s: float
    both_wait_s: float = 0.0
    may_claim: bool = False


def decide(own: Standing, heard: Heard, takeover_after_s: float) -> Act:
    """What to do now.

    Args:
        own: this one's standing.
        heard: what is known of the peer.
        takeover_after_s: how long it may be silent.
    """
    peer = heard.standing
    is_heard = peer is not None and heard.silent_s < takeover_after_s
    if own.is_active:
        must_yield = is_heard and peer is not None and peer.is_active and peer.rank > own.rank
        return Act.STEP_DOWN if must_yield else Act.STAY
    if not is_heard or peer is None:
        # At a start of both, the spare lets the main go first.
        patience = takeover_after_s * (2 if peer is None and not own.is_main else 1)
        return Act.ACTIVATE if heard.silent_s >= patience else Act.STAY
    if peer.is_active:
        return Act.ACTIVATE if heard.may_claim else Act.STAY
    goes_first = peer.yields or (not own.yields and own.rank > peer.rank)
    has_waited = heard.both_wait_s >= 2 * takeover_after_s
    return Act.ACTIVATE if goes_first or has_waited else Act.STAY


def next_epoch(own: Standing, peer: Standing | None) -> int:
    """Above every epoch heard of."""
    return max(own.epoch, 0 if peer is None else peer.epoch) + 1
