"""What one system's collection consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.opcua_time import to_ticks

if TYPE_CHECKING:
    from ingestion.collector.buffer import PointBuffer
    from ingestion.collector.clock_back import SealedInstants
    from ingestion.collector.gaps import GapLog
    from ingestion.collector.history_troubles import HistoryTroubles
    from ingestion.collector.points_sealing import PointsSealing
    from ingestion.collector.settings import CollectorSettings
    from ingestion.collector.status import Status
    from protocols.clock import Clock


@dataclass(frozen=True)
class CollectionParts:
    """What one system's collection consists of, for those who read its history.

    Attributes:
        tag_ids: by tag position.
        sealed: what stands in the sealed segments of points.
        start: where history begins for a tag never read, ticks; none: only what comes from now on.
    """

    tag_ids: list[str]
    buffer: PointBuffer
    sealing: PointsSealing
    status: Status
    gaps: GapLog
    troubles: HistoryTroubles
    sealed: SealedInstants
    settings: CollectorSettings
    start: int | None
    clock: Clock

    def now_ticks(self) -> int:
        """Plant time, ticks."""
        return to_ticks(self.clock.now())
