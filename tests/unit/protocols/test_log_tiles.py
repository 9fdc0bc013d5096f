"""The log as tiles, and an independent implementation of RFC 6962 that accepts its proofs."""

from __future__ import annotations

import random
from pathlib import Path

import pymerkle
import pytest

from protocols import log_tiles
from protocols.merkle import (
    consistency_path,
    consistency_proof,
    inclusion_path,
    inclusion_proof,
    leaf_hash,
    tree_root,
)

SIZES = (1, 2, 3, 7, 255, 256, 257, 700)
BODIES = [f"leaf {index}".encode() for index in range(700)]
HASHES = [leaf_hash(body) for body in BODIES]


def write(folder: Path, old_size: int, size: int) -> None:
    start = old_size // log_tiles.TILE_WIDTH * log_tiles.TILE_WIDTH
    log_tiles.write_leaves(folder, start, BODIES[start:size])
    log_tiles.write_upper_tiles(folder, old_size, size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("log")
    for old, new in zip((0, *SIZES), SIZES, strict=False):
        write(made, old, new)
    return made


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((0, 0, 256), "tile/0/000"),
        ((0, 1_234_067, 256), "tile/0/x001/x234/067"),
        ((1, 0, 17), "tile/1/000.p/17"),
        ((None, 273, 112), "tile/entries/273.p/112"),
    ],
)
def test_a_tile_is_named_as_the_layout_says(place: log_tiles.Place, name: str) -> None:
    assert log_tiles.tile_name(*place) == name
    assert log_tiles.place_of(name) == place


@pytest.mark.parametrize("name", ["tile/0/0", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/256", "other"])
def test_another_name_is_no_tile(name: str) -> None:
    assert log_tiles.place_of(name) is None


def test_a_log_of_70000_leaves_consists_of_the_tiles_of_the_standards_example() -> None:
    places = [place for place in log_tiles.places_at(70_000) if place[0] is not None]
    full = [level for level, _, width in places if width == 256]
    partial = [(level, width) for level, _, width in places if width < 256]
    assert (full.count(0), full.count(1), partial) == (273, 1, [(0, 112), (1, 17), (2, 1)])


def test_a_full_tile_takes_the_place_of_its_beginnings(folder: Path) -> None:
    assert (folder / "tile/0/000").stat().st_size == 8192
    assert not (folder / "tile/0/000.p").exists()
    assert (folder / "tile/0/002.p/188").stat().st_size == 188 * 32


@pytest.mark.parametrize("size", SIZES)
def test_tiles_lead_to_the_same_roots_and_proofs_as_the_leaves(folder: Path, size: int) -> None:
    tree = log_tiles.TileTree(folder, size)
    assert tree.root() == tree_root(HASHES[:size])
    for index in range(0, size, 37):
        assert inclusion_path(size, index, tree.root_of) == inclusion_proof(HASHES[:size], index)
    for old in SIZES[: SIZES.index(size) + 1]:
        assert consistency_path(old, size, tree.root_of) == consistency_proof(HASHES[:size], old)


def test_entries_come_back_and_a_cut_bundle_is_refused() -> None:
    packed = log_tiles.pack_entries(BODIES[:3])
    assert log_tiles.unpack_entries(packed) == BODIES[:3]
    for cut in (1, len(packed) - 1):
        with pytest.raises(log_tiles.LogFilesError, match="entry"):
            log_tiles.unpack_entries(packed[:cut])
    with pytest.raises(log_tiles.LogFilesError, match="at most 65535"):
        log_tiles.pack_entries([bytes(65_536)])


def test_a_missing_or_cut_tile_is_named(tmp_path: Path) -> None:
    write(tmp_path, 0, 3)
    tile = tmp_path / "tile/0/000.p/3"
    tile.write_bytes(tile.read_bytes()[:-1])
    with pytest.raises(log_tiles.LogFilesError, match="found 95 bytes, expected 96"):
        log_tiles.TileTree(tmp_path, 3).root()
    tile.unlink()
    with pytest.raises(log_tiles.LogFilesError, match="no such tile"):
        log_tiles.TileTree(tmp_path, 3).root()


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_accepts_our_inclusion_proofs_and_no_changed_one(folder: Path, size: int) -> None:
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    theirs.append_entries(BODIES[:size])
    ours = log_tiles.TileTree(folder, size)
    for index in random.Random(size).sample(range(size), min(size, 20)):
        proof = theirs.prove_inclusion(index + 1)
        proof.path = [HASHES[index], *inclusion_path(size, index, ours.root_of)]
        place = {"index": index + 1, "size": size, "algorithm": "sha256"}
        pymerkle.verify_inclusion(HASHES[index], ours.root(), proof, **place)
        proof.path = [*proof.path[:-1], bytes(32)]
        with pytest.raises(pymerkle.InvalidProof):
            pymerkle.verify_inclusion(HASHES[index], ours.root(), proof, **place)


def sides(old: int, size: int, steps: int) -> list[int]:
    """Where each step of a consistency proof stands: 1 left, 0 right (RFC 9162 §2.1.4.2)."""
    first, last, found = old - 1, size - 1, list[int]()
    while first & 1:
        first, last = first >> 1, last >> 1
    for _ in range(steps):
        is_left = first & 1 or first == last
        found.append(int(bool(is_left)))
        while is_left and first and not first & 1:
            first, last = first >> 1, last >> 1
        first, last = first >> 1, last >> 1
    return found


@pytest.mark.parametrize("size", SIZES[1:])
def test_pymerkle_accepts_our_consistency_proofs_and_no_changed_one(folder: Path, size: int) -> None:
    """Its own proofs spell out more subtrees than RFC 6962 asks for: it is given the RFC's steps to fold."""
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    theirs.append_entries(BODIES[:size])
    ours = log_tiles.TileTree(folder, size)
    assert theirs.get_state() == ours.root()
    for old in random.Random(size).sample(range(1, size), min(size - 1, 20)):
        steps = consistency_path(old, size, ours.root_of)
        path = [theirs.get_state(old), *steps] if old.bit_count() == 1 else steps
        rule = sides(old, size, len(path) - 1)
        proof = pymerkle.ConsistencyProof("sha256", True, size, old, [*rule, 0], [1, *rule], path)
        assert proof.compute_root() == theirs.get_state()
        assert proof.retrieve_prior_state() == theirs.get_state(old)
        proof.path = [*path[:-1], bytes(32)]
        assert proof.compute_root() != theirs.get_state()
