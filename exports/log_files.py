"""The log as files: copied, served or handed over, they need nothing of ours to be read.

Written from the state store's leaves whenever a checkpoint was signed, tiles first and the checkpoint last,
so that the checkpoint on disk is always of tiles that are there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from exports.errors import ExportError
from lake.state import StateStore
from lake.state_tables import merkle_checkpoints, merkle_leaves
from protocols.checkpoints import CheckpointFormatError, checkpoint_of
from protocols.durable_files import write_durably
from protocols.log_tiles import CHECKPOINT, TILE_WIDTH, TileTree, write_leaves, write_upper_tiles

_BATCH = 64 * TILE_WIDTH  # leaves in memory at once


class LogFiles:
    """Publishes what is signed, in memory of how far it came.

    Args:
        folder: the log's folder; made when there is something to publish.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._size: int | None = None

    def publish(self, state: StateStore) -> None:
        """Bring the files to the newest signed checkpoint.

        Raises:
            ExportError: the files hold a longer log, or the tiles do not lead to the signed root.
        """
        with state.read() as conn:
            newest = conn.execute(
                select(merkle_checkpoints).order_by(merkle_checkpoints.c.tree_size.desc()).limit(1)
            ).first()
        if self._size is None:
            self._size = published_size(self._folder)
        size = 0 if newest is None else newest.tree_size
        if size < self._size:
            msg = (
                f"publishing the log of {size} signed leaves: {self._folder} holds {self._size} already, so "
                "the state store lost some; restore both from one backup, or keep the folder aside as "
                "evidence and let a new one be written"
            )
            raise ExportError(msg)
        if size > self._size:
            self._grow(state, self._size, newest)
            self._size = size

    def _grow(self, state: StateStore, old_size: int, newest: Any) -> None:
        for start in range(old_size // TILE_WIDTH * TILE_WIDTH, newest.tree_size, _BATCH):
            end = min(start + _BATCH, newest.tree_size)
            leaves = merkle_leaves.c
            bodies = (
                select(leaves.body)
                .where(leaves.leaf_index >= start, leaves.leaf_index < end)
                .order_by(leaves.leaf_index)
            )
            with state.read() as conn:
                write_leaves(self._folder, start, [body.encode() for body in conn.scalars(bodies)])
        write_upper_tiles(self._folder, old_size, newest.tree_size)
        root = TileTree(self._folder, newest.tree_size).root().hex()
        if root != newest.root_sha256:
            msg = (
                f"publishing the log: its tiles lead to root {root}, signed was {newest.root_sha256}; run "
                "`chemlink verify --all`, which names what was altered"
            )
            raise ExportError(msg)
        write_durably(self._folder / CHECKPOINT, newest.signed_note.encode())


def published_size(folder: Path) -> int:
    """How many leaves the published checkpoint is of; 0 where none is published.

    Raises:
        ExportError: the file is no checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return 0
    try:
        return checkpoint_of(path.read_text(encoding="utf-8")).tree_size
    except (CheckpointFormatError, UnicodeDecodeError) as error:
        msg = f"{path}: {error}; run `chemlink verify --all`, and restore the file from a backup"
        raise ExportError(msg) from error
