"""Signing the log: how many leaves there are and the root over them, by the site's own key.

What is signed is published at once as files (`exports.log_files`), which the auditor may copy.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import insert, select

from exports.errors import ExportError
from exports.log_files import LogFiles
from lake.state import StateStore, utc_text
from lake.state_tables import merkle_checkpoints, merkle_leaves
from protocols.checkpoints import Checkpoint, sign_checkpoint
from protocols.keys import load_sign_key
from protocols.merkle import Frontier


def log_origin(site_id: str) -> str:
    """The name of a site's log, and of its key, in checkpoints."""
    return f"chemlink/{site_id}/exports"


def log_sign_key(path: Path) -> Ed25519PrivateKey:
    """The log's signing key; made on first use, with its public half beside it as `log_verify.pem`.

    Raises:
        KeyFileError: the file holds something else.
    """
    if not path.exists():
        _make_key(path)
    return load_sign_key(path)


class Checkpointer:
    """Signs the log as it grows, in memory of what it signed last, so that a checkpoint costs the new leaves.

    Args:
        state: where leaves and checkpoints are.
        site_id: names the log.
        sign_key: the log's key.
        folder: where the log's files are published.
    """

    def __init__(self, state: StateStore, site_id: str, sign_key: Ed25519PrivateKey, folder: Path) -> None:
        self._state = state
        self._origin = log_origin(site_id)
        self._sign_key = sign_key
        self._frontier = Frontier()
        self._files = LogFiles(folder)

    def sign(self) -> Checkpoint | None:
        """Sign and publish the log as it stands; nothing when no leaf was added since the last checkpoint.

        Raises:
            ExportError: the log is shorter than before, or a checkpoint of this size has another root.
        """
        checkpoint = self._sign()
        # Also when nothing was signed: a process may have ended between the two.
        self._files.publish(self._state)
        return checkpoint

    def _sign(self) -> Checkpoint | None:
        self._take_in_new_leaves()
        checkpoint = Checkpoint(self._origin, self._frontier.size, self._frontier.root())
        with self._state.begin() as conn:
            known = conn.execute(
                select(merkle_checkpoints.c.tree_size, merkle_checkpoints.c.root_sha256)
                .order_by(merkle_checkpoints.c.tree_size.desc())
                .limit(1)
            ).first()
            if known is not None and not _grew(known.tree_size, known.root_sha256, checkpoint):
                return None
            if checkpoint.tree_size == 0:
                return None
            conn.execute(
                insert(merkle_checkpoints).values(
                    tree_size=checkpoint.tree_size,
                    root_sha256=checkpoint.root.hex(),
                    signed_note=sign_checkpoint(checkpoint, self._origin, self._sign_key),
                    created_at_utc=utc_text(self._state.now()),
                )
            )
        return checkpoint

    def _take_in_new_leaves(self) -> None:
        new = (
            select(merkle_leaves.c.leaf_index, merkle_leaves.c.leaf_sha256)
            .where(merkle_leaves.c.leaf_index >= self._frontier.size)
            .order_by(merkle_leaves.c.leaf_index)
        )
        with self._state.read() as conn:
            for row in conn.execute(new):
                if row.leaf_index != self._frontier.size:
                    msg = (
                        f"signing the log: found leaf {row.leaf_index}, expected {self._frontier.size}; "
                        "leaves were removed from the state store: restore it from a backup and look who did"
                    )
                    raise ExportError(msg)
                self._frontier.append(bytes.fromhex(row.leaf_sha256))


def _grew(size: int, root_sha256: str, now: Checkpoint) -> bool:
    """Whether there are leaves after the last checkpoint; the same size must have the same root."""
    if now.tree_size > size:
        return True
    if now.tree_size == size and now.root.hex() == root_sha256:
        return False
    msg = (
        f"signing the log: {now.tree_size} leaves with root {now.root.hex()}, but the last checkpoint signed "
        f"{size} with {root_sha256}; the log was altered: restore the state store and look who did"
    )
    raise ExportError(msg)


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_name("log_verify.pem").write_bytes(public)
    # Whole or not at all, and last: a key cut short would stop every later start.
    temporary = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
