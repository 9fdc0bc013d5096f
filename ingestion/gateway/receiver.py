"""The business zone's half of the file drop: nothing is believed unverified, nothing missing goes unseen.

The gateway may lose, repeat and reorder. Segments are handed on in order per stream. A missing number is
waited for; when later ones have been there for `gap_wait_s` they are handed on and the number is reported
as a gap, which landing records. If it comes after all it is handed on as a refill. What the sender's
heartbeat says was sent is missed too, and what it says is still to be sent is not waited for. What is not a
segment is moved to quarantine with a reason.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingestion.gateway.quarantine import Quarantine, Quarantined
from protocols.heartbeat import FILE_NAME, StreamSent
from protocols.number_ranges import NumberRanges
from protocols.segment_reading import decode_rows, read_payload
from protocols.segments import (
    MANIFEST_NAME,
    STREAM_NAME,
    Manifest,
    SegmentError,
    SegmentTornError,
    manifest_path,
    read_manifest,
    verify_segment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import pyarrow as pa
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SEGMENTS_PER_CALL = 2000
REFILLS_PER_CALL = 300  # of one stream: a day of them must not hold up what is live
GAPS_PER_CALL = 2_000_000  # three weeks of a stream that is sealed every second
ANNOUNCED_WAIT_S = 30.0  # a heartbeat may overtake large files by this
# A repeated segment was sealed before it landed, but for what the clocks of the two zones differ.
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True)
class VerifiedSegment:
    """A segment that is whole and signed by the control zone; `is_refill` when it closes a recorded gap."""

    manifest: Manifest
    path: Path
    is_refill: bool = False

    def read(self) -> pa.Table:
        """Its rows in the wire schema of its kind."""
        return decode_rows(self.manifest, read_payload(self.manifest, self.path))


@dataclass(frozen=True)
class Gap:
    """A number that did not come while later ones did."""

    stream: str
    sequence: int


@dataclass
class Arrivals:
    """What one look into the inbox brought: segments in order per stream, new gaps, and refused files."""

    segments: list[VerifiedSegment] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


class Receiver:
    """Reads the inbox of the file drop.

    Args:
        inbox: one folder a stream; written by the gateway only.
        verify_key: the control zone's public gateway key.
        quarantine_dir: where refused files go; by default beside the inbox.
        gap_wait_s: real seconds that a missing number is waited for.
        monotonic: the seconds these are measured in.
    """

    def __init__(
        self,
        inbox: Path,
        verify_key: Ed25519PublicKey,
        *,
        quarantine_dir: Path | None = None,
        gap_wait_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox = inbox
        self._verify_key = verify_key
        self._quarantine = Quarantine(quarantine_dir or inbox.parent / "quarantine")
        self._gap_wait_s = gap_wait_s
        self._monotonic = monotonic
        self._waiting_since: dict[tuple[str, int], float] = {}
        self._announced: Mapping[str, StreamSent] = {}

    def ready(
        self,
        stream_positions: Mapping[str, int],
        open_gaps: Mapping[str, Collection[int]] | None = None,
        landed_at: Mapping[str, datetime] | None = None,
        announced: Mapping[str, StreamSent] | None = None,
    ) -> Arrivals:
        """What can be landed now. The same again until `done` is called or the positions move.

        Args:
            stream_positions: the last landed sequence of each stream; a stream that is not named starts at 0.
            open_gaps: the recorded gaps not yet refilled, so that a late one is told from a repeated one.
            landed_at: when each stream landed last, so that a repeated one is told from one of a collector
                that lost its numbers and begins anew.
            announced: how far each stream was sent, as its sender's heartbeat says.
        """
        arrivals = Arrivals()
        if not self._inbox.is_dir():
            return arrivals
        self._announced = announced or {}
        for stream in sorted({*self._folders(arrivals), *self._announced}):
            gaps = set((open_gaps or {}).get(stream, ()))
            last_landed = (landed_at or {}).get(stream)
            self._look_into(
                self._inbox / stream, stream_positions.get(stream, 0), gaps, last_landed, arrivals
            )
        return arrivals

    def _folders(self, arrivals: Arrivals) -> list[str]:
        """The streams that have a folder; what is none is refused."""
        found = []
        for folder in self._inbox.iterdir():
            if folder.name.startswith(".") or FILE_NAME.fullmatch(folder.name):
                continue
            if folder.is_symlink() or not folder.is_dir() or not STREAM_NAME.fullmatch(folder.name):
                reason = "not a stream's folder: expected a folder named <system_id>.<kind>"
                arrivals.quarantined.append(self._quarantine.take(folder, reason))
                continue
            found.append(folder.name)
        return found

    def done(self, segment: VerifiedSegment) -> None:
        """Remove a segment that is landed, manifest first, so that half a removal leaves no segment."""
        _remove(segment.path)

    def _look_into(
        self, folder: Path, position: int, open_gaps: set[int], landed_at: datetime | None, arrivals: Arrivals
    ) -> None:
        numbers = self._numbers(folder, arrivals)
        refills = 0
        for number in numbers:
            if number > position or refills >= REFILLS_PER_CALL:
                break
            path = manifest_path(self._inbox, folder.name, number)
            if number not in open_gaps:
                self._drop_repeated(path, landed_at, arrivals)
            elif (segment := self._verify(path, arrivals, is_refill=True)) is not None:
                arrivals.segments.append(segment)
                refills += 1
        later = [number for number in numbers if number > position]
        self._hand_on(folder.name, position, later, open_gaps, arrivals)

    def _drop_repeated(self, path: Path, landed_at: datetime | None, arrivals: Arrivals) -> None:
        """Remove what landed before; one sealed long after that is another segment of the same number."""
        sealed_at = _sealed_at(path)
        if landed_at is None or sealed_at is None or sealed_at <= landed_at + _CLOCKS_DIFFER:
            _remove(path)
            return
        reason = (
            f"number {path.stem} landed before, and this one was sealed at {sealed_at.isoformat()}, after "
            f"its stream landed last at {landed_at.isoformat()}: the collector lost its numbers and begins "
            "anew; restore its folder (at least marks.json) from a backup, or set the clocks if they differ"
        )
        refused = self._quarantine.take_segment(path, reason)
        arrivals.quarantined.append(replace(refused, name=path.parent.name))  # one finding for the stream

    def _hand_on(
        self, stream: str, position: int, numbers: list[int], open_gaps: set[int], arrivals: Arrivals
    ) -> None:
        expected, is_waiting = position + 1, False
        for number in numbers[:SEGMENTS_PER_CALL]:
            missing = range(expected, number)
            if missing and not self._may_pass(stream, missing, open_gaps):
                is_waiting = True
            if is_waiting:
                expected = number + 1  # only to time the holes after: they wait together, not one by one
                continue
            segment = self._verify(manifest_path(self._inbox, stream, number), arrivals, is_refill=False)
            if segment is None:
                # Refused or not whole yet: from here on the number is missing like any other.
                continue
            arrivals.gaps.extend(Gap(stream, lost) for lost in missing if lost not in open_gaps)
            arrivals.segments.append(segment)
            self._waiting_since.pop((stream, expected), None)
            expected = number + 1
        if not is_waiting and len(numbers) <= SEGMENTS_PER_CALL:
            self._miss_announced(stream, expected, open_gaps, arrivals)

    def _may_pass(self, stream: str, missing: range, open_gaps: set[int]) -> bool:
        """Whether later numbers need not wait for these: known as gaps, still to be sent, or waited for."""
        if len(missing) > GAPS_PER_CALL:
            return False  # no sender of ours jumps so far; a person must look
        waiting = self._still_to_come(stream)
        if all(number in open_gaps or number in waiting for number in missing):
            return True
        return self._has_waited(stream, missing.start)

    def _miss_announced(self, stream: str, expected: int, open_gaps: set[int], arrivals: Arrivals) -> None:
        """Report what was sent last and never came, though nothing later shows it."""
        sent = self._announced.get(stream)
        if sent is None or sent.last < expected:
            return
        waiting = self._still_to_come(stream)
        lost = NumberRanges([(max(expected, sent.first), min(sent.last, expected + GAPS_PER_CALL))])
        missing = [number for number in lost.numbers() if number not in open_gaps and number not in waiting]
        if missing and self._has_waited(f"{stream} announced", missing[0], ANNOUNCED_WAIT_S):
            arrivals.gaps.extend(Gap(stream, number) for number in missing)

    def _still_to_come(self, stream: str) -> NumberRanges:
        sent = self._announced.get(stream)
        return NumberRanges(sent.waiting if sent else ())

    def _has_waited(self, stream: str, sequence: int, wait_s: float | None = None) -> bool:
        since = self._waiting_since.setdefault((stream, sequence), self._monotonic())
        return self._monotonic() - since >= (self._gap_wait_s if wait_s is None else wait_s)

    def _verify(self, path: Path, arrivals: Arrivals, *, is_refill: bool) -> VerifiedSegment | None:
        payload = path.with_suffix(".parquet")
        if path.is_symlink() or payload.is_symlink():
            arrivals.quarantined.append(self._quarantine.take_segment(path, "a symbolic link is no segment"))
            return None
        try:
            return VerifiedSegment(verify_segment(path, self._verify_key), path, is_refill)
        except SegmentTornError as error:
            if not path.exists():
                return None  # another process landed it since this one looked
            # A gateway that reorders files brings the payload later.
            if not payload.exists() and not self._has_waited(str(path), 0):
                return None
            arrivals.quarantined.append(self._quarantine.take_segment(path, str(error)))
        except SegmentError as error:
            arrivals.quarantined.append(self._quarantine.take_segment(path, str(error)))
        self._waiting_since.pop((str(path), 0), None)
        return None

    def _numbers(self, folder: Path, arrivals: Arrivals) -> list[int]:
        numbers: list[int] = []
        if not folder.is_dir():
            return numbers  # announced, and nothing of it came yet
        for file in folder.iterdir():
            match = MANIFEST_NAME.fullmatch(file.name)
            if match:
                numbers.append(int(match[1]))
            elif not _is_expected(file):
                reason = "not a segment's file: expected <12 digits>.json and .parquet"
                arrivals.quarantined.append(self._quarantine.take(file, reason))
        return sorted(numbers)


def _is_expected(file: Path) -> bool:
    is_payload = file.suffix == ".parquet" and MANIFEST_NAME.fullmatch(f"{file.stem}.json") is not None
    return file.name.startswith(".") or is_payload  # a dot: the gateway is still writing it


def _sealed_at(manifest: Path) -> datetime | None:
    try:
        found = datetime.fromisoformat(read_manifest(manifest).sealed_at_utc)
    except ValueError:
        return None
    return found if found.tzinfo else None  # unsigned as yet: anything may stand there


def _remove(manifest: Path) -> None:
    manifest.unlink(missing_ok=True)
    manifest.with_suffix(".parquet").unlink(missing_ok=True)
