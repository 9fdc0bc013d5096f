"""Proof of a submission: a bundle that anyone verifies offline, with nothing but the log's public key.

It shows what was sent (by hash), what the receiver answered, and that both facts stand in a log whose head is
signed. Who kept an older checkpoint sees that the log was not rewritten since.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from exports.checkpoints import log_origin
from exports.errors import ExportError
from lake.state import StateStore
from lake.state_tables import merkle_checkpoints, merkle_leaves, receipts, submissions
from protocols.checkpoints import CheckpointError, verify_checkpoint
from protocols.merkle import inclusion_proof, leaf_hash, verify_inclusion

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Verdict:
    """What verifying a bundle found; it holds when there is no fault."""

    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything the bundle claims is proved."""
        return not self.faults


def prove(state: StateStore, site_id: str, idempotency_key: str) -> dict[str, Any]:
    """The proof bundle of a submission under the newest checkpoint; JSON types only.

    Raises:
        ExportError: there is no such submission, or no checkpoint since it was queued.
    """
    with state.read() as conn:
        row = conn.execute(
            select(submissions).where(submissions.c.idempotency_key == idempotency_key)
        ).first()
        if row is None:
            msg = (
                f"proving {idempotency_key}: it is no file, and the outbox holds no such submission; "
                "the keys are column idempotency_key of ops.ops_submissions"
            )
            raise ExportError(msg)
        note = conn.execute(
            select(merkle_checkpoints).order_by(merkle_checkpoints.c.tree_size.desc()).limit(1)
        ).first()
        leaves = _leaves(conn, 0 if note is None else note.tree_size)
        facts = _facts_of(leaves, row.submission_id)
        if note is None or not facts:
            msg = f"proving {idempotency_key}: no checkpoint since it was queued; sign one, then try again"
            raise ExportError(msg)
        answers = conn.execute(select(receipts).where(receipts.c.submission_id == row.submission_id)).all()
    hashes = [bytes.fromhex(leaf.leaf_sha256) for leaf in leaves]
    return {
        "format_version": FORMAT_VERSION,
        "log": log_origin(site_id),
        "idempotency_key": idempotency_key,
        "content_base64": base64.b64encode(row.content).decode(),
        "receipts_base64": [base64.b64encode(answer.body).decode() for answer in answers],
        "facts": [
            {
                "leaf_index": leaf.leaf_index,
                "body": leaf.body,
                "inclusion_proof": [step.hex() for step in inclusion_proof(hashes, leaf.leaf_index)],
            }
            for leaf in facts
        ],
        "checkpoint": note.signed_note,
    }


def verify(bundle: dict[str, Any], verify_key: Ed25519PublicKey) -> Verdict:
    """Check a bundle against the log's public key; nothing else is needed."""
    if bundle.get("format_version") != FORMAT_VERSION:
        return Verdict((f"format_version is {bundle.get('format_version')!r}, expected {FORMAT_VERSION}",))
    try:
        checkpoint = verify_checkpoint(bundle["checkpoint"], bundle["log"], verify_key)
    except CheckpointError as error:
        return Verdict((str(error),))
    faults: list[str] = []
    if checkpoint.origin != bundle["log"]:
        faults.append(f"the checkpoint is of log {checkpoint.origin}, the bundle says {bundle['log']}")
    for fact in bundle["facts"]:
        proof = [bytes.fromhex(step) for step in fact["inclusion_proof"]]
        leaf = leaf_hash(fact["body"].encode())
        if not verify_inclusion(leaf, fact["leaf_index"], checkpoint.tree_size, proof, checkpoint.root):
            faults.append(f"leaf {fact['leaf_index']} is not in the signed log")
    return Verdict((*faults, *_contradictions(bundle)))


def _contradictions(bundle: dict[str, Any]) -> list[str]:
    """Where content and receipts are not those that the facts name."""
    facts = [json.loads(fact["body"]) for fact in bundle["facts"]]
    queued = [fact for fact in facts if fact["kind"] == "enqueued"]
    if len(queued) != 1 or queued[0]["idempotency_key"] != bundle["idempotency_key"]:
        return [f"no single fact says that {bundle['idempotency_key']} was queued"]
    found: list[str] = []
    if len({fact["submission_id"] for fact in facts}) != 1:
        found.append("the facts are of several submissions")
    if _sha256(bundle["content_base64"]) != queued[0]["content_sha256"]:
        found.append("the content is not the one that was queued")
    answered = sorted(fact["receipt_sha256"] for fact in facts if "receipt_sha256" in fact)
    if sorted(map(_sha256, bundle["receipts_base64"])) != answered:
        found.append("the receipts are not those that were received")
    return found


def _sha256(encoded: str) -> str:
    return hashlib.sha256(base64.b64decode(encoded)).hexdigest()


def _leaves(conn: Connection, size: int) -> Sequence[Any]:
    return conn.execute(
        select(merkle_leaves).where(merkle_leaves.c.leaf_index < size).order_by(merkle_leaves.c.leaf_index)
    ).all()


def _facts_of(leaves: Sequence[Any], submission_id: int) -> list[Any]:
    """The leaves about one submission; kinds without one (refusals, configuration) are passed over."""
    return [leaf for leaf in leaves if json.loads(leaf.body).get("submission_id") == submission_id]
