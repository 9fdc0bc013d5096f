"""Holding each stored submission and its receipts to what the log says of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from exports.merkle_log import shortened
from exports.submissions import State, key_of
from lake.state_tables import merkle_leaves, receipts, submissions
from protocols.content_hashes import sha256_hex, sm3_hex

_PROVED = (
    "idempotency_key",
    "mode",
    "period_start_utc",
    "due_at_utc",
    "content_sha256",
    "content_sm3",
    "source_table",
    "delta_version",
    "code_version",
)
_OPTIONAL = {"content_sm3", "code_version"}  # empty where the fact does not say them
_ENDINGS = {State.ACKNOWLEDGED, State.REJECTED, State.EXPIRED}


def submission_faults(conn: Connection) -> Iterator[tuple[int | None, list[str]]]:
    """Each submission's id and what was altered of it; no id for leaves and receipts of none.

    Args:
        conn: one consistent view of the state store.
    """
    leaves = _Groups(
        conn.execute(
            select(merkle_leaves)
            .where(merkle_leaves.c.submission_id.is_not(None))
            .order_by(merkle_leaves.c.submission_id, merkle_leaves.c.leaf_index)
        )
    )
    answers = _Groups(
        conn.execute(select(receipts).order_by(receipts.c.submission_id, receipts.c.receipt_id))
    )
    for row in conn.execute(select(submissions).order_by(submissions.c.submission_id)):
        told = f"submission {row.submission_id} ({row.idempotency_key})"
        facts = _facts(leaves.of(row.submission_id))
        faults = [*_row_faults(row, facts), *_answer_faults(answers.of(row.submission_id), facts)]
        yield row.submission_id, [f"{told}: {fault}" for fault in faults]
    leaves.of(None)
    answers.of(None)
    yield None, [f"submission {one}: the log has it, the outbox has not" for one in leaves.left_over]
    yield None, [f"submission {one}: it has a receipt, the outbox has it not" for one in answers.left_over]


class _Groups:
    """Rows ordered by submission, given out submission by submission; those of none are left over."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._groups = ((key, list(group)) for key, group in groupby(rows, lambda row: row.submission_id))
        self._next = next(self._groups, None)
        self.left_over: list[int] = []

    def of(self, submission_id: int | None) -> list[Any]:
        """The rows of a submission; passes over those of lower ids, and of all where none is given."""
        while self._next is not None and (submission_id is None or self._next[0] < submission_id):
            self.left_over.append(self._next[0])
            self._next = next(self._groups, None)
        if self._next is None or self._next[0] != submission_id:
            return []
        rows = self._next[1]
        self._next = next(self._groups, None)
        return rows


def _facts(leaves: Sequence[Any]) -> list[Mapping[str, Any]]:
    """What the leaves say; one that was altered is told elsewhere and says nothing here."""
    found: list[Mapping[str, Any]] = []
    for leaf in leaves:
        try:
            facts = json.loads(leaf.body)
        except ValueError:
            continue
        if isinstance(facts, dict):
            found.append(facts)
    return found


def _row_faults(row: Any, facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    queued = [fact for fact in facts if fact.get("kind") == "enqueued"]
    if len(queued) != 1:
        yield f"{len(queued)} facts of the log say that it was queued, expected 1"
        return
    (fact,) = queued
    if sha256_hex(row.content) != fact.get("content_sha256"):
        yield "content: not what was queued"
    elif row.content_sm3 not in (None, sm3_hex(row.content)):
        yield "content_sm3: not that of the content"
    for name in _PROVED:
        stored = getattr(row, name)
        is_told = name in fact
        if (is_told and fact[name] != stored) or (not is_told and name in _OPTIONAL and stored is not None):
            yield f"{name}: found {stored!r}, the log has {fact.get(name)!r}"
    if row.created_at_utc != fact.get("at_utc"):
        yield f"created_at_utc: found {row.created_at_utc!r}, the log has {fact.get('at_utc')!r}"
    if key_of(row.report_id, row.endpoint_id, row.subject_id, row.period_start_utc, row.revision) != (
        row.idempotency_key
    ):
        yield "report, endpoint, subject, period or revision are not those of its key"
    yield from _ending_faults(row, [found for found in facts if found.get("kind") in _ENDINGS])


def _ending_faults(row: Any, endings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whether state, time and outcome are those that the log tells."""
    if len(endings) > 1:
        yield f"the log ends it {len(endings)} times"
        return
    if not endings:
        if row.state not in (State.QUEUED, State.SENDING):
            yield f"state: found {row.state!r}, the log knows of no end"
        if row.acknowledged_at_utc is not None:
            yield "acknowledged_at_utc: the log knows of no acknowledgement"
        return
    (fact,) = endings
    kind = fact["kind"]
    expected: dict[str, Any] = {"state": kind, "acknowledged_at_utc": None}
    if kind == State.ACKNOWLEDGED:
        expected |= {"acknowledged_at_utc": fact.get("at_utc"), "last_error": None}
    if "tries" in fact:
        expected["attempts"] = fact["tries"]
    if error := fact.get("error") or fact.get("rule"):
        expected["last_error"] = error
    for name, told in expected.items():
        stored = getattr(row, name)
        if told not in (stored, shortened(stored)):
            yield f"{name}: found {stored!r}, the log has {told!r}"


def _answer_faults(answers: Sequence[Any], facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    told = [fact for fact in facts if "receipt_sha256" in fact]
    if len(told) != len(answers):
        yield f"{len(answers)} receipts, the log has {len(told)}"
        return
    for answer, fact in zip(answers, told, strict=True):
        if sha256_hex(answer.body) != fact["receipt_sha256"]:
            yield "receipt: not what the receiver answered"
        reference = answer.receiver_reference
        stored = (answer.outcome, answer.received_at_utc)
        if stored != (fact.get("kind"), fact.get("at_utc")) or (
            fact.get("reference") not in (reference, shortened(reference))
        ):
            yield "receipt: outcome, time or reference are not those that the log has"
