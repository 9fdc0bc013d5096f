"""Stream observations: what each outlet shows at every minute of the plant, for the real-time upload.

Runs on verified segments before their Delta commit. A moment is observed once points at or past it have
arrived, and only while it is recent: what arrives later goes out with the statistics of its period. Moments
are unique per outlet, so a replay is harmless; after a restart the newest samples come from `latest_values`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, func, select

from ingestion.landing_state import latest_of
from ingestion.outlet_moments import FactorValue, Sample, Tag, TagRule, observe
from ingestion.outlets import Outlet
from lake.state import from_utc_text, insert_if_absent, utc_text
from lake.state_tables import latest_values, stream_observations

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Timing:
    """When a moment is observed.

    Attributes:
        interval: distance of the moments, counted from midnight UTC.
        live_window: a moment older than this is no longer real-time data.
        stale_after: a sample older than this at the moment counts as no contact.
    """

    interval: timedelta = timedelta(seconds=60)
    live_window: timedelta = timedelta(minutes=10)
    stale_after: timedelta = timedelta(minutes=5)


@dataclass(frozen=True)
class Observation:
    """One outlet at one moment."""

    outlet_id: str
    observed_at_utc: datetime
    values: tuple[FactorValue, ...]


class HotRules:
    """Turns points into observations; keeps the newest sample of each tag of an outlet.

    Args:
        outlets: the outlets with their points.
        rules: what the tag tables say, by system and tag.
        now: the plant's clock.
        timing: when a moment is observed.
    """

    def __init__(
        self,
        outlets: Iterable[Outlet],
        rules: Mapping[Tag, TagRule],
        *,
        now: Callable[[], datetime],
        timing: Timing,
    ) -> None:
        self._outlets = tuple(outlets)
        self._rules = dict(rules)
        self._now = now
        self._timing = timing
        self._tags = {(point.system_id, point.tag_id) for outlet in self._outlets for point in outlet.points}
        self._samples: dict[Tag, Sample] = {}
        self._observed_to: dict[str, datetime] = {}

    def recover(self, connection: Connection) -> None:
        """Take up where a former process stopped."""
        for row in connection.execute(select(latest_values)):
            sample = Sample(from_utc_text(row.source_at_utc), row.value_number, row.status_code)
            self._keep((row.system_id, row.tag_id), sample)
        newest = select(stream_observations.c.outlet_id, func.max(stream_observations.c.observed_at_utc))
        for outlet_id, text in connection.execute(newest.group_by(stream_observations.c.outlet_id)):
            self._observed_to[outlet_id] = from_utc_text(text)

    def learn_tags(self, system_id: str, tags: pa.Table) -> None:
        """Take over what a system's tag table says now."""
        self._rules |= tag_rules(system_id, tags)

    def observe(self, system_id: str, points: pa.Table) -> list[Observation]:
        """The moments that these points complete, and remember the points.

        Args:
            system_id: where the points come from.
            points: rows of one or several segments of one stream, in any order.
        """
        watermark = self._watermark(points)
        if watermark is None:
            return []
        recent = self._recent_samples(system_id, points)
        found = [
            observation
            for outlet in self._outlets
            if any(point.system_id == system_id for point in outlet.points)
            for observation in self._observe_outlet(outlet, watermark, recent)
        ]
        for tag, samples in recent.items():
            self._keep(tag, samples[-1])
        return found

    def _watermark(self, points: pa.Table) -> datetime | None:
        """The newest instant that the points reach; a server's clock may run ahead of the plant's."""
        newest = pc.max(points.column("source_at_utc")).as_py()
        return None if newest is None else min(newest, self._now())

    def _recent_samples(self, system_id: str, points: pa.Table) -> dict[Tag, list[Sample]]:
        """The samples of the outlets' tags by tag in order of time, without those too old to matter."""
        since = self._now() - self._timing.live_window - self._timing.stale_after
        of_outlets = [tag_id for system, tag_id in self._tags if system == system_id]
        mine = points.filter(pc.is_in(points.column("tag_id"), pa.array(of_outlets, pa.string())))
        recent = mine.filter(pc.greater_equal(mine.column("source_at_utc"), pa.scalar(since)))
        rows = recent.to_pylist() + latest_of(mine)
        rows.sort(key=lambda row: (row["source_at_utc"], row.get("source_at_100ns", 0)))
        samples: dict[Tag, list[Sample]] = {}
        for row in rows:
            sample = Sample(row["source_at_utc"], row["value_number"], row["status_code"])
            samples.setdefault((system_id, row["tag_id"]), []).append(sample)
        return samples

    def _observe_outlet(
        self, outlet: Outlet, watermark: datetime, recent: Mapping[Tag, list[Sample]]
    ) -> Iterator[Observation]:
        for at in self._moments(outlet.outlet_id, watermark):
            samples = self._samples_at(outlet, at, recent)
            if samples:  # else nothing was ever known of this outlet then
                values = observe(outlet, at, samples, self._rules, stale_after=self._timing.stale_after)
                yield Observation(outlet.outlet_id, at, tuple(values))
        self._observed_to[outlet.outlet_id] = max(watermark, self._observed_to.get(outlet.outlet_id, _EPOCH))

    def _moments(self, outlet_id: str, watermark: datetime) -> Iterator[datetime]:
        """The moments after the last observed one, within the live window, up to the watermark."""
        interval = self._timing.interval
        after = max(self._observed_to.get(outlet_id, _EPOCH), self._now() - self._timing.live_window)
        at = after - (after - _EPOCH) % interval + interval
        while at <= watermark:
            yield at
            at += interval

    def _samples_at(
        self, outlet: Outlet, at: datetime, recent: Mapping[Tag, list[Sample]]
    ) -> dict[Tag, Sample]:
        """The newest sample at or before the moment of each of the outlet's tags that has one."""
        found = {}
        for point in outlet.points:
            tag = (point.system_id, point.tag_id)
            candidates = [sample for sample in recent.get(tag, ()) if sample.source_at_utc <= at]
            kept = self._samples.get(tag)
            if kept is not None and kept.source_at_utc <= at:
                candidates.append(kept)
            if candidates:
                found[tag] = max(candidates, key=lambda sample: sample.source_at_utc)
        return found

    def _keep(self, tag: Tag, sample: Sample) -> None:
        known = self._samples.get(tag)
        if tag in self._tags and (known is None or known.source_at_utc <= sample.source_at_utc):
            self._samples[tag] = sample


def tag_rules(system_id: str, tags: pa.Table) -> dict[Tag, TagRule]:
    """What the newest row of each tag says, from rows of a tag table."""
    rows = sorted(tags.to_pylist(), key=lambda row: row["observed_at_utc"])
    return {
        (system_id, row["tag_id"]): TagRule(
            row["unit"], row["unit_on_server"], row["range_low"], row["range_high"]
        )
        for row in rows
    }


def store_observations(connection: Connection, observations: Iterable[Observation], *, now: datetime) -> int:
    """Store observations that are not stored yet; says how many were new."""
    return sum(
        insert_if_absent(
            connection,
            stream_observations,
            {
                "outlet_id": observation.outlet_id,
                "observed_at_utc": utc_text(observation.observed_at_utc),
                "values_json": json.dumps([asdict(value) for value in observation.values]),
                "created_at_utc": utc_text(now),
            },
        )
        for observation in observations
    )
