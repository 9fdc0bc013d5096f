"""From the gateway's inbox to raw Delta tables: verified segments in, one commit a stream and batch out.

Order, so that a process killed anywhere loses and doubles nothing: gaps and the stream's row → observations →
Delta commit with the sequence as application transaction → position and latest values → the inbox file goes.
A restart repeats from the last step done, and each step knows its own repeat. A number that comes after its
gap was recorded is a refill: it has an application of its own, because the stream's is past it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from ingestion import landing_state
from ingestion.gateway.heartbeat_files import HeartbeatFiles
from ingestion.gateway.links import announced, note_heartbeat, refresh_silence
from ingestion.gateway.quarantine import Quarantine
from ingestion.gateway.receiver import Arrivals, Receiver, VerifiedSegment
from ingestion.hot_rules import HotRules, store_observations
from ingestion.landing_commit import land_batch, raw_table, stored_tag_rules, without_landed
from ingestion.landing_gaps import OpenGaps
from ingestion.landing_spec import Landed, LandingReport, LandingSpec, ReadSegment
from lake import tables
from lake.errors import LeaseHeldError
from lake.heartbeats import beat
from lake.leases import hold_lease
from protocols.pair_streams import family_of
from protocols.segments import SegmentError

__all__ = ["PROCESS", "Landed", "Landing", "LandingReport", "LandingSpec", "land_once", "run_landing"]

PROCESS = "land"
_BEAT_EVERY_S = 2.0


def land_once(spec: LandingSpec) -> LandingReport:
    """Land everything that is ready now, without waiting for more."""
    landing = Landing(spec)
    total = LandingReport()
    while True:
        report = landing.look(commit_all=True)
        total.landed += report.landed
        total.gaps += report.gaps
        total.quarantined += report.quarantined
        total.observations += report.observations
        if not report.did_something:
            return total


def run_landing(spec: LandingSpec, stop: threading.Event) -> None:
    """Land what arrives until told to stop; what is gathered by then is committed first."""
    landing = Landing(spec)
    next_beat = 0.0
    while not stop.is_set():
        report = landing.look()
        if time.monotonic() >= next_beat:
            next_beat = time.monotonic() + _BEAT_EVERY_S
            with spec.state.begin() as connection:
                beat(connection, PROCESS, detail=f"{report.rows} rows, {report.gaps} new gaps")
                refresh_silence(connection, now=spec.clock.now(), real_now=datetime.now(UTC))
        if not report.did_something:
            stop.wait(spec.poll_s)
    landing.look(commit_all=True)


class Landing:
    """Looks into the inbox and lands what is ready; keeps what is gathered for the next commit.

    Args:
        spec: everything it must be told.
    """

    def __init__(self, spec: LandingSpec) -> None:
        self._spec = spec
        self._receiver = Receiver(spec.inbox, spec.verify_key, gap_wait_s=spec.gap_wait_s)
        self._quarantine = Quarantine(spec.inbox.parent / "quarantine")
        self._heartbeats = HeartbeatFiles(spec.inbox, spec.verify_key, self._quarantine)
        self._gaps = OpenGaps()
        self._gathered: dict[tuple[str, int], ReadSegment] = {}
        self._gathering_since: dict[str, float] = {}
        self._positions: dict[str, int] = {}
        self._rules = HotRules(
            spec.outlets,
            stored_tag_rules(spec.lake, spec.outlets),
            now=spec.clock.now,
            timing=spec.observation_timing,
        )
        with spec.state.read() as connection:
            self._rules.recover(connection)

    def look(self, *, commit_all: bool = False) -> LandingReport:
        """One look: observe what is new, land the streams that are due.

        Args:
            commit_all: land without gathering.
        """
        report = LandingReport()
        arrivals = self._arrivals()
        present = {(segment.manifest.stream, segment.manifest.sequence) for segment in arrivals.segments}
        self._gathered = {key: read for key, read in self._gathered.items() if key in present}
        self._record(arrivals, report)
        for stream, segments in _by_stream(arrivals.segments):
            batch = self._read_batch(stream, segments, report)
            if not batch:
                continue
            self._observe(stream, batch, report)
            # More is ready than one commit may hold: gathering would only delay it.
            is_full = len(batch) < len(segments)
            if commit_all or is_full or self._is_due(stream, batch):
                self._land(stream, batch, report)
        return report

    def _arrivals(self) -> Arrivals:
        heard, refused = self._heartbeats.changed()
        if heard:
            with self._spec.state.begin() as connection:
                for heartbeat in heard:
                    note_heartbeat(connection, heartbeat, arrived_at=datetime.now(UTC))
        with self._spec.state.read() as connection:
            positions = landing_state.positions(connection)
            gaps = self._gaps.read(connection, positions)
            landed_at = landing_state.last_landed(connection)
            sent = announced(connection)
        for folder in self._spec.inbox.glob("*.*"):
            # A stream the state store does not know: begun now, or the store was lost and Delta knows better.
            if folder.name not in positions and folder.is_dir():
                table = raw_table(self._spec.lake, folder.name)
                positions[folder.name] = tables.transaction_version(table, folder.name) or 0
        self._positions = positions
        arrivals = self._receiver.ready(positions, gaps, landed_at, sent)
        arrivals.quarantined += refused
        return arrivals

    def _record(self, arrivals: Arrivals, report: LandingReport) -> None:
        """Gaps and refusals are durable before anything moves past them."""
        report.quarantined = len(arrivals.quarantined)
        streams = {segment.manifest.stream for segment in arrivals.segments}
        if not (arrivals.gaps or arrivals.quarantined or streams):
            return
        now = self._spec.clock.now()
        gaps = without_landed(self._spec.lake, arrivals.gaps)
        if gaps:
            self._gaps.forget()
        with self._spec.state.begin() as connection:
            report.gaps = landing_state.record_gaps(connection, gaps, now=now)
            for refused in arrivals.quarantined:
                landing_state.open_quarantine_finding(connection, refused, now=now)
            for stream in streams:
                landing_state.begin_stream(
                    connection, stream, position=self._positions.get(stream, 0), now=now
                )

    def _read_batch(
        self, stream: str, segments: Sequence[VerifiedSegment], report: LandingReport
    ) -> list[ReadSegment]:
        """The segments of one commit with their rows; one that cannot be read is refused."""
        batch: list[ReadSegment] = []
        rows = 0
        for segment in segments:
            if batch and rows + segment.manifest.rows > self._spec.commit_rows:
                break
            found = self._gathered.get((stream, segment.manifest.sequence)) or self._read(segment, report)
            if found is None:
                # What follows a refused number waits until that number is a recorded gap.
                break
            batch.append(found)
            rows += found.rows.num_rows
        return batch

    def _read(self, segment: VerifiedSegment, report: LandingReport) -> ReadSegment | None:
        try:
            return ReadSegment(segment, segment.read())
        except SegmentError as error:
            if not segment.path.exists():
                return None  # another process landed it since this one looked
            refused = self._quarantine.take_segment(segment.path, str(error))
        report.quarantined += 1
        with self._spec.state.begin() as connection:
            landing_state.open_quarantine_finding(connection, refused, now=self._spec.clock.now())
        return None

    def _observe(self, stream: str, batch: Sequence[ReadSegment], report: LandingReport) -> None:
        """Run the hot rules on segments not seen by this process, and remember them as gathered."""
        new = [read for read in batch if (stream, read.sequence) not in self._gathered]
        for read in new:
            self._gathered[stream, read.sequence] = read
        self._gathering_since.setdefault(stream, time.monotonic())
        if not new:
            return
        kind, system_id = new[0].kind, stream.rpartition(".")[0]
        rows = pa.concat_tables([read.rows for read in new])
        if kind == "tags":
            self._rules.learn_tags(system_id, rows)
        if kind == "points" and (observations := self._rules.observe(system_id, rows)):
            now = self._spec.clock.now()
            with self._spec.state.begin() as connection:
                report.observations += store_observations(connection, observations, now=now)

    def _is_due(self, stream: str, batch: Sequence[ReadSegment]) -> bool:
        """Points are gathered for a while; alarms and tag tables are few and go at once."""
        waited_s = time.monotonic() - self._gathering_since[stream]
        return batch[0].kind != "points" or waited_s >= self._spec.commit_every_s

    def _land(self, stream: str, batch: Sequence[ReadSegment], report: LandingReport) -> None:
        try:
            # One lease for both streams of a pair of collectors: each looks up what the other has landed.
            with hold_lease(self._spec.lake.leases, f"land.{family_of(stream)}"):
                report.landed += land_batch(self._spec, stream, batch)
        except LeaseHeldError:
            report.held_elsewhere.append(stream)
            return
        for read in batch:
            self._receiver.done(read.segment)
            self._gathered.pop((stream, read.sequence), None)
        self._gathering_since.pop(stream, None)


def _by_stream(segments: Sequence[VerifiedSegment]) -> Iterator[tuple[str, list[VerifiedSegment]]]:
    """The segments of each stream in their order."""
    found: dict[str, list[VerifiedSegment]] = {}
    for segment in segments:
        found.setdefault(segment.manifest.stream, []).append(segment)
    yield from found.items()
