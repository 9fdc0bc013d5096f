"""What every transport is: one request in, one delivery or one error out.

A transport knows a wire and nothing of the outbox. It raises UnreachableError when nobody answers there,
TransientError when the same bytes may be accepted later, PermanentError when the receiver refuses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class DeliveryRequest:
    """One submission on its way out.

    Attributes:
        submission_id: its row, for log lines.
        report_id: which report; receivers may number by it.
        subject_id: outlet or site.
        idempotency_key: the same for every try.
        content: the outbox's bytes; a transport adds no more than password, signature and number.
        sequence: the number it has if the receiver counts accepted submissions of a report.
    """

    submission_id: int
    report_id: str
    subject_id: str
    idempotency_key: str
    content: bytes
    sequence: int


@dataclass(frozen=True)
class Delivery:
    """The receiver has it.

    Attributes:
        body: the receiver's own bytes.
        reference: the receiver's number of it, where it gives one.
        wire_sha256: hash of what went out, password and number included.
        sequence: the number it was accepted under, where the receiver counts.
        deviations: where the answer leaves the protocol, tolerated and told.
    """

    body: bytes
    reference: str | None
    wire_sha256: str
    sequence: int | None = None
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observation:
    """Something a receiver did that a person should know: a refused command, a deviation.

    Attributes:
        kind: `host_command_refused`, `host_request` or `protocol_deviation`.
        subject: what it concerns, stable, so that a repeat is the same finding.
        body: the receiver's own bytes.
    """

    kind: str
    subject: str
    detail_zh: str
    detail_en: str
    remedy_zh: str
    remedy_en: str
    body: bytes


Observe = Callable[[Observation], None]


class Transport(Protocol):
    """A way to one receiver."""

    async def open(self) -> None:
        """Be ready to deliver; a transport that is already open returns at once.

        Raises:
            UnreachableError: nobody answers.
        """

    async def deliver(self, request: DeliveryRequest) -> Delivery:
        """Send one submission and wait for the receiver's answer.

        Raises:
            TransientError: it may be accepted later (UnreachableError: nobody answers).
            PermanentError: the receiver refuses it.
        """

    async def close(self) -> None:
        """Give the connection back."""
