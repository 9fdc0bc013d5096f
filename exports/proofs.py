"""Making the proof of a submission: a bundle of JSON that `exports.bundles` checks anywhere.

The facts are proved under the newest published checkpoint, and that one is proved to continue the first
checkpoint that covered them, so that the bundle agrees with whichever of the two somebody kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from exports.bundles import FORMAT_VERSION
from exports.checkpoints import log_origin
from exports.errors import ExportError
from exports.log_files import published_size
from lake.state import StateStore
from lake.state_tables import merkle_checkpoints, merkle_leaves, receipts, submissions
from protocols.checkpoints import checkpoint_of
from protocols.content_hashes import sha256_hex
from protocols.log_tiles import CHECKPOINT, TileTree
from protocols.merkle import consistency_path, inclusion_path


def prove(
    state: StateStore, site_id: str, folder: Path, idempotency_key: str, kept: str | None = None
) -> dict[str, Any]:
    """The proof bundle of a submission under the newest published checkpoint; JSON types only.

    Args:
        state: where the submission is.
        site_id: names the log.
        folder: the log's files.
        idempotency_key: which submission.
        kept: a checkpoint that somebody kept; the bundle shows that the log continues it.

    Raises:
        ExportError: there is no such submission, no checkpoint since it was queued, or the kept checkpoint
            is newer than the log.
        LogFilesError: a tile is missing.
    """
    tree = TileTree(folder, published_size(folder))
    with state.read() as conn:
        row = _submission(conn, idempotency_key)
        leaves = _leaves(conn, row.submission_id, tree.size)
        if not leaves:
            msg = (
                f"proving {idempotency_key}: no checkpoint since it was queued; the dispatcher signs one soon"
            )
            raise ExportError(msg)
        first = _first_note(conn, leaves[-1].leaf_index + 1)
        answers = _answers(conn, row.submission_id, leaves)
    notes = dict.fromkeys(note for note in (first, kept) if note is not None)
    return {
        "format_version": FORMAT_VERSION,
        "log": log_origin(site_id),
        "idempotency_key": idempotency_key,
        "content_base64": base64.b64encode(row.content).decode(),
        "receipts_base64": [base64.b64encode(answer).decode() for answer in answers],
        "facts": [
            {
                "leaf_index": leaf.leaf_index,
                "body": leaf.body,
                "inclusion_proof": _hexes(inclusion_path(tree.size, leaf.leaf_index, tree.root_of)),
            }
            for leaf in leaves
        ],
        "checkpoint": (folder / CHECKPOINT).read_text(encoding="utf-8"),
        "earlier": [_earlier(tree, note) for note in notes],
    }


def _earlier(tree: TileTree, note: str) -> dict[str, Any]:
    size = checkpoint_of(note).tree_size
    if size > tree.size:
        msg = (
            f"proving that the log continues the kept checkpoint of {size} leaves: the log has {tree.size}; "
            "it was cut off, or the checkpoint is of another log"
        )
        raise ExportError(msg)
    proof = consistency_path(size, tree.size, tree.root_of)
    return {"checkpoint": note, "consistency_proof": _hexes(proof)}


def _submission(conn: Connection, idempotency_key: str) -> Any:
    row = conn.execute(select(submissions).where(submissions.c.idempotency_key == idempotency_key)).first()
    if row is None:
        msg = (
            f"proving {idempotency_key}: it is no file, and the outbox holds no such submission; "
            "the keys are column idempotency_key of ops.ops_submissions"
        )
        raise ExportError(msg)
    return row


def _leaves(conn: Connection, submission_id: int, size: int) -> Sequence[Any]:
    return conn.execute(
        select(merkle_leaves)
        .where(merkle_leaves.c.submission_id == submission_id, merkle_leaves.c.leaf_index < size)
        .order_by(merkle_leaves.c.leaf_index)
    ).all()


def _answers(conn: Connection, submission_id: int, leaves: Sequence[Any]) -> list[bytes]:
    """The receipts that these leaves tell of; one that came after the checkpoint has no proof yet."""
    told = [json.loads(leaf.body).get("receipt_sha256") for leaf in leaves]
    mine = select(receipts.c.body).where(receipts.c.submission_id == submission_id)
    return [body for body in conn.scalars(mine.order_by(receipts.c.receipt_id)) if sha256_hex(body) in told]


def _first_note(conn: Connection, size: int) -> str | None:
    """The first checkpoint that covers so many leaves."""
    return conn.scalar(
        select(merkle_checkpoints.c.signed_note)
        .where(merkle_checkpoints.c.tree_size >= size)
        .order_by(merkle_checkpoints.c.tree_size)
        .limit(1)
    )


def _hexes(steps: Sequence[bytes]) -> list[str]:
    return [step.hex() for step in steps]
