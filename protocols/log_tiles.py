"""A Merkle log as files that never change: hash tiles, entry bundles and the newest checkpoint.

The layout is that of c2sp.org/tlog-tiles, so that any reader of such logs reads ours: from a disk, a USB
stick, or any web server that serves the folder.

    checkpoint                      the newest signed tree head
    tile/<level>/<index>[.p/<n>]    up to 256 hashes; level 0 of leaves, above of full tiles one level below
    tile/entries/<index>[.p/<n>]    the same leaves' bodies, each after its length in two bytes

    LogFilesError  a file of the log is missing or is not what the layout says
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from protocols.durable_files import write_durably
from protocols.merkle import HASH_BYTES, largest_power_below, leaf_hash, node_hash, tree_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CHECKPOINT = "checkpoint"
TILE_WIDTH = 256
ENTRY_LIMIT_BYTES = 65_535  # what two bytes of length can say
_LEVELS_A_TILE = 8  # a full tile is a subtree of so many levels
_TILES_IN_MEMORY = 64
_NAME = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)

Place = tuple[int | None, int, int]  # level (none: entries), index and width of a tile


class LogFilesError(ValueError):
    """A file of the log is missing or is not what the layout says."""


def tile_name(level: int | None, index: int, width: int) -> str:
    """Path of a tile below the log's folder; of a bundle of entries where there is no level."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    name = f"tile/{'entries' if level is None else level}/{'/'.join(groups)}"
    return name if width == TILE_WIDTH else f"{name}.p/{width}"


def place_of(name: str) -> Place | None:
    """The tile that `tile_name` gave this name; nothing where it is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    level, index = found["level"], int(found["index"].replace("x", "").replace("/", ""))
    width = int(found["width"] or TILE_WIDTH)
    place = (None if level == "entries" else int(level), index, width)
    return place if tile_name(*place) == name else None


def places_at(size: int) -> Iterator[Place]:
    """Every tile and bundle that a log of `size` leaves consists of."""
    for level in (None, *range(_levels_of(size))):
        hashes = size >> (_LEVELS_A_TILE * (level or 0))
        for index in range(-(-hashes // TILE_WIDTH)):
            yield level, index, min(TILE_WIDTH, hashes - index * TILE_WIDTH)


def pack_entries(bodies: Sequence[bytes]) -> bytes:
    """The bytes of a bundle.

    Raises:
        LogFilesError: a body is too long for its length to be written.
    """
    for body in bodies:
        if len(body) > ENTRY_LIMIT_BYTES:
            msg = f"writing a log entry of {len(body)} bytes: expected at most {ENTRY_LIMIT_BYTES}"
            raise LogFilesError(msg)
    return b"".join(len(body).to_bytes(2, "big") + body for body in bodies)


def unpack_entries(bundle: bytes) -> list[bytes]:
    """The bodies in a bundle.

    Raises:
        LogFilesError: it ends within an entry.
    """
    bodies: list[bytes] = []
    at = 0
    while at < len(bundle):
        start = at + 2
        at = start + int.from_bytes(bundle[at:start], "big")
        if at > len(bundle) or start > len(bundle):
            msg = f"reading a bundle of {len(bundle)} bytes: entry {len(bodies)} says that it ends at {at}"
            raise LogFilesError(msg)
        bodies.append(bundle[start:at])
    return bodies


class TileTree:
    """The tree of a log of `size` leaves, read from its tiles: a proof costs a few files.

    Args:
        folder: the log's folder.
        size: leaves in the tree; the tiles on disk may be of a later one.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.size = size
        self._tile = lru_cache(_TILES_IN_MEMORY)(self._read_tile)

    def root(self) -> bytes:
        """The tree head.

        Raises:
            LogFilesError: a tile is missing or has another length.
        """
        return self.root_of(0, self.size) if self.size else tree_root([])

    def root_of(self, first: int, end: int) -> bytes:
        """The root over the leaves from `first` to before `end`, for `protocols.merkle`'s proofs.

        Raises:
            LogFilesError: a tile is missing or has another length.
        """
        width = end - first
        if width.bit_count() == 1 and first % width == 0:
            return self._full_subtree(width.bit_length() - 1, first // width)
        split = first + largest_power_below(width)
        return node_hash(self.root_of(first, split), self.root_of(split, end))

    def _full_subtree(self, height: int, index: int) -> bytes:
        level, above = divmod(height, _LEVELS_A_TILE)
        start = index << above
        hashes = self._tile(level, start // TILE_WIDTH)
        first = start % TILE_WIDTH
        return tree_root(hashes[first : first + (1 << above)])

    def _read_tile(self, level: int, index: int) -> list[bytes]:
        hashes = self.size >> (_LEVELS_A_TILE * level)
        width = min(TILE_WIDTH, hashes - index * TILE_WIDTH)
        return read_tile(self._folder, level, index, width)


def read_tile(folder: Path, level: int, index: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile; from the full one where the partial one was removed.

    Raises:
        LogFilesError: neither is there, or it has another length.
    """
    for stored_width in dict.fromkeys((width, TILE_WIDTH)):
        path = folder / tile_name(level, index, stored_width)
        if path.is_file():
            data = path.read_bytes()
            if len(data) == stored_width * HASH_BYTES:
                return [data[at : at + HASH_BYTES] for at in range(0, width * HASH_BYTES, HASH_BYTES)]
            msg = f"{path}: found {len(data)} bytes, expected {stored_width * HASH_BYTES}"
            raise LogFilesError(msg)
    msg = f"{folder / tile_name(level, index, width)}: no such tile, nor the full one"
    raise LogFilesError(msg)


def write_leaves(folder: Path, start: int, bodies: Sequence[bytes]) -> None:
    """Write the tiles of level 0 and the bundles that hold `bodies`.

    Args:
        folder: the log's folder.
        start: index of the first body; the first of a tile.
        bodies: all leaves from there on.

    Raises:
        LogFilesError: a body is too long.
    """
    assert start % TILE_WIDTH == 0, "a tile is written whole"
    for at in range(0, len(bodies), TILE_WIDTH):
        part = bodies[at : at + TILE_WIDTH]
        index = (start + at) // TILE_WIDTH
        _write(folder, None, index, len(part), pack_entries(part))
        _write(folder, 0, index, len(part), b"".join(map(leaf_hash, part)))


def write_upper_tiles(folder: Path, old_size: int, size: int) -> None:
    """Write the tiles above level 0 that a log has gained since it had `old_size` leaves.

    Raises:
        LogFilesError: a full tile below is missing.
    """
    for level in range(1, _levels_of(size)):
        old, now = (leaves >> (_LEVELS_A_TILE * level) for leaves in (old_size, size))
        if old == now:
            continue
        for index in range(old // TILE_WIDTH, -(-now // TILE_WIDTH)):
            first, end = index * TILE_WIDTH, min((index + 1) * TILE_WIDTH, now)
            hashes = [tree_root(read_tile(folder, level - 1, n, TILE_WIDTH)) for n in range(first, end)]
            _write(folder, level, index, len(hashes), b"".join(hashes))


def _write(folder: Path, level: int | None, index: int, width: int, content: bytes) -> None:
    path = folder / tile_name(level, index, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content)
    if width == TILE_WIDTH:  # a full one takes the place of its beginnings
        beginnings = path.with_name(f"{path.name}.p")
        for old in beginnings.glob("*"):
            old.unlink()
        if beginnings.is_dir():
            beginnings.rmdir()


def _levels_of(size: int) -> int:
    levels = 0
    while size >> (_LEVELS_A_TILE * levels):
        levels += 1
    return levels
