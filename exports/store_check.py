"""Checking the whole store: no byte of a submission, receipt, leaf, checkpoint or tile was altered since.

What decides is the log: leaves lead to signed roots, and every submission and receipt is held to its leaves.
When a submission is tried next, and the attempts of one that is still waiting, are not facts of the log and
are not checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, select

from exports.checkpoints import log_origin
from exports.errors import ExportError
from exports.file_check import FileCheck
from exports.log_files import published_size
from exports.submission_check import submission_faults
from lake.state import StateStore
from lake.state_tables import merkle_checkpoints, merkle_leaves
from protocols.checkpoints import Checkpoint, CheckpointError, verify_checkpoint
from protocols.merkle import HASH_BYTES, Frontier, leaf_hash

_ROWS = 1000  # fetched at once


@dataclass
class StoreReport:
    """What checking the store found.

    Attributes:
        leaves: facts in the log.
        unsigned: facts since the newest checkpoint, which nothing proves yet.
        checkpoints: signed heads checked.
        submissions: submissions checked.
        faults: what was altered, each named.
    """

    leaves: int = 0
    unsigned: int = 0
    checkpoints: int = 0
    submissions: int = 0
    faults: list[str] = field(default_factory=list)


def check_store(
    state: StateStore, site_id: str, folder: Path, verify_key: Ed25519PublicKey, kept: str | None = None
) -> StoreReport:
    """Check everything that is stored against the log, and the log against its signatures.

    Args:
        state: the state store.
        site_id: names the log.
        folder: the log's files.
        verify_key: the log's key.
        kept: a checkpoint kept elsewhere, which the log must continue.
    """
    report = StoreReport()
    origin = log_origin(site_id)
    files = FileCheck(folder, origin, verify_key)
    report.faults += files.faults()
    if kept is not None:
        report.faults += files.kept_faults(kept)
    with _reading(state) as conn:
        signed = _signed_heads(conn, origin, verify_key, report)
        report.faults += _log_faults(conn, signed, files.head, report)
        for submission_id, faults in submission_faults(conn):
            report.submissions += submission_id is not None
            report.faults += faults
    report.faults += _publication_faults(folder, max(signed, default=0))
    return report


@contextmanager
def _reading(state: StateStore) -> Iterator[Connection]:
    """A reader that is given altered text too: SQLite's own would stop at bytes that are no UTF-8."""
    with state.read() as conn:
        driver: Any = conn.connection.driver_connection
        is_sqlite = conn.dialect.name == "sqlite"
        if is_sqlite:
            usual, driver.text_factory = driver.text_factory, lambda data: data.decode(errors="replace")
        try:
            yield conn.execution_options(yield_per=_ROWS)
        finally:
            if is_sqlite:
                driver.text_factory = usual


def _signed_heads(
    conn: Connection, origin: str, verify_key: Ed25519PublicKey, report: StoreReport
) -> dict[int, bytes]:
    """The roots that were signed, by size of the log; a checkpoint that does not hold is a fault."""
    heads: dict[int, bytes] = {}
    for row in conn.execute(select(merkle_checkpoints).order_by(merkle_checkpoints.c.tree_size)):
        report.checkpoints += 1
        told = f"checkpoint of {row.tree_size} leaves"
        try:
            head = verify_checkpoint(row.signed_note, origin, verify_key)
        except CheckpointError as error:
            report.faults.append(f"{told}: {error}")
            continue
        if (head.origin, head.tree_size, head.root.hex()) != (origin, row.tree_size, row.root_sha256):
            report.faults.append(
                f"{told}: its note is of {head.tree_size} leaves with root {head.root.hex()}"
            )
        heads[head.tree_size] = head.root
    return heads


def _log_faults(
    conn: Connection, signed: dict[int, bytes], published: Checkpoint | None, report: StoreReport
) -> Iterator[str]:
    """Leaves that are not what their hashes say, and where they stop leading to the signed roots."""
    if published is not None:
        signed = {**signed, published.tree_size: published.root}
    frontier, is_straight = Frontier(), True
    for row in conn.execute(select(merkle_leaves).order_by(merkle_leaves.c.leaf_index)):
        if is_straight and row.leaf_index != frontier.size:
            yield f"leaf {frontier.size}: missing, found leaf {row.leaf_index} in its place"
            is_straight = False
        yield from _leaf_faults(row)
        frontier.append(_hash_of(row.leaf_sha256))
        root = signed.get(frontier.size)
        if is_straight and root is not None and root != frontier.root():
            yield f"leaves up to {frontier.size}: their root is not the signed one"
            is_straight = False
    report.leaves = frontier.size
    newest = max(signed, default=0)
    report.unsigned = max(0, frontier.size - newest)
    if frontier.size < newest:
        yield f"leaf {frontier.size}: missing, {newest} leaves were signed"


def _leaf_faults(row: Any) -> Iterator[str]:
    if leaf_hash(row.body.encode()).hex() != row.leaf_sha256:
        yield f"leaf {row.leaf_index}: its body is not the one that was hashed"
        return
    facts = json.loads(row.body)
    if (facts.get("kind"), facts.get("submission_id")) != (row.kind, row.submission_id):
        yield f"leaf {row.leaf_index}: kind or submission in its columns are not those in its body"


def _hash_of(digits: str) -> bytes:
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    return found if len(found) == HASH_BYTES else bytes(HASH_BYTES)


def _publication_faults(folder: Path, signed_size: int) -> Iterator[str]:
    try:
        size = published_size(folder)
    except ExportError:
        return  # told when the files were checked
    if size < signed_size:
        yield f"{folder}: holds {size} of {signed_size} signed leaves; start the dispatcher, which adds them"
