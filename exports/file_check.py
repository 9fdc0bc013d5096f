"""Checking the log's files by themselves: every byte of every tile, bundle and the checkpoint.

What is checked needs no state store, so it is the same on a copy that an auditor took.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.checkpoints import Checkpoint, CheckpointError, verify_checkpoint
from protocols.log_tiles import (
    CHECKPOINT,
    TILE_WIDTH,
    LogFilesError,
    Place,
    TileTree,
    place_of,
    places_at,
    read_tile,
    tile_name,
    unpack_entries,
)
from protocols.merkle import HASH_BYTES, consistency_path, leaf_hash, tree_root, verify_consistency


class FileCheck:
    """The log's files, to be gone through once.

    Args:
        folder: the log's folder.
        origin: whose log it must be; the name of its key as well.
        verify_key: the log's key.
    """

    def __init__(self, folder: Path, origin: str, verify_key: Ed25519PublicKey) -> None:
        self._folder = folder
        self._origin = origin
        self._key = verify_key
        self.head: Checkpoint | None = None

    def faults(self) -> Iterator[str]:
        """Everything that is not as the signed head says, each named by its file; sets `head`."""
        path = self._folder / CHECKPOINT
        try:
            head = verify_checkpoint(path.read_bytes().decode(), self._origin, self._key)
        except (OSError, UnicodeDecodeError, CheckpointError) as error:
            yield f"{path}: {error}"
            return
        if head.origin != self._origin:
            yield f"{path}: it is of log {head.origin}, expected {self._origin}"
        self.head = head
        yield from self._tile_faults(head)
        yield from self._stray_faults(head)

    def kept_faults(self, kept: str) -> Iterator[str]:
        """Whether the log continues a checkpoint that somebody kept elsewhere."""
        head = self.head
        if head is None:
            return
        try:
            mine = verify_checkpoint(kept, self._origin, self._key)
        except CheckpointError as error:
            yield f"kept checkpoint: {error}"
            return
        if mine.tree_size > head.tree_size:
            yield f"kept checkpoint: it is of {mine.tree_size} leaves, the log has {head.tree_size}: cut off"
            return
        try:
            tree = TileTree(self._folder, head.tree_size)
            proof = consistency_path(mine.tree_size, head.tree_size, tree.root_of)
        except LogFilesError as error:
            yield f"kept checkpoint: {error}"
            return
        if not verify_consistency(mine.tree_size, mine.root, head.tree_size, head.root, proof):
            yield f"kept checkpoint of {mine.tree_size} leaves: the log was rewritten since"

    def _tile_faults(self, head: Checkpoint) -> Iterator[str]:
        for place in places_at(head.tree_size):
            try:
                if self._stored(place) != self._expected(place):
                    yield f"{self._path(place)}: its hashes are not those of what lies below it"
            except (OSError, LogFilesError) as error:
                yield f"{self._path(place)}: {error}"
        try:
            root = TileTree(self._folder, head.tree_size).root()
        except LogFilesError:
            return  # told above
        if root != head.root:
            yield f"{self._folder / CHECKPOINT}: signed root {head.root.hex()}, the tiles have {root.hex()}"

    def _stored(self, place: Place) -> bytes:
        """What is on disk of a tile; the beginning of the full one where its own file was removed."""
        level, index, width = place
        try:
            return self._path(place).read_bytes()
        except FileNotFoundError:
            full = self._path((level, index, TILE_WIDTH)).read_bytes()
            return _first(full, width, level)

    def _expected(self, place: Place) -> bytes:
        """What a tile must hold by what lies below it; a bundle is held to its tile of leaves."""
        level, index, width = place
        if level is None:
            data = self._stored(place)
            if [leaf_hash(body) for body in unpack_entries(data)] != read_tile(self._folder, 0, index, width):
                msg = "its entries are not those that the tile of leaves was made of"
                raise LogFilesError(msg)
            return data
        if level == 0:
            return b"".join(map(leaf_hash, unpack_entries(self._stored((None, index, width)))))
        first = index * TILE_WIDTH
        below = (read_tile(self._folder, level - 1, n, TILE_WIDTH) for n in range(first, first + width))
        return b"".join(map(tree_root, below))

    def _stray_faults(self, head: Checkpoint) -> Iterator[str]:
        """Other files: earlier and later states of a tile must agree with the signed one, nothing else is."""
        signed = {(level, index): width for level, index, width in places_at(head.tree_size)}
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            if path.is_dir() or name == CHECKPOINT or (path.name[0] == "." and path.suffix == ".tmp"):
                continue
            place = place_of(name)
            if place is None:
                yield f"{path}: no file of a log"
            elif not self._agrees(place, signed.get(place[:2], 0)):
                yield f"{path}: it differs from the signed log"

    def _agrees(self, place: Place, signed_width: int) -> bool:
        level, index, width = place
        common = min(width, signed_width)  # what lies beyond is not signed yet
        if common == 0:
            return True
        try:
            mine, theirs = self._stored(place), self._stored((level, index, signed_width))
            is_whole = width > signed_width or len(mine) == len(_first(mine, width, level))
            return is_whole and _first(mine, common, level) == _first(theirs, common, level)
        except (OSError, LogFilesError):
            return False

    def _path(self, place: Place) -> Path:
        return self._folder / tile_name(*place)


def _first(data: bytes, count: int, level: int | None) -> bytes:
    """The first hashes of a tile, or the first entries of a bundle."""
    if level is not None:
        return data[: count * HASH_BYTES]
    return data[: sum(2 + len(body) for body in unpack_entries(data)[:count])]
