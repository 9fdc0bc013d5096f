"""Merkle trees as RFC 6962 hashes them: tree heads, inclusion and consistency proofs and their verifiers.

Leaves go in as hashes (`leaf_hash` makes one), proofs are lists of 32-byte hashes. The signed text of a
tree head is in `protocols/checkpoints.py`. Both verifiers follow RFC 9162 §2.1 and never raise on a wrong
proof: they say no.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    RootOf = Callable[[int, int], bytes]

HASH_BYTES = 32


def leaf_hash(body: bytes) -> bytes:
    """The hash of a leaf: SHA-256 over 00 and its body."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 over 01 and its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes in order; of no leaf, SHA-256 of nothing."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


class Frontier:
    """A tree that only grows, kept as the roots of its full subtrees: appending and the root cost log(size).

    Args:
        size: leaves so far.
        subtrees: roots of the full subtrees, largest first, as `subtrees` of an earlier frontier.
    """

    def __init__(self, size: int = 0, subtrees: Sequence[bytes] = ()) -> None:
        if len(subtrees) != size.bit_count():
            expected = size.bit_count()
            msg = f"resuming a tree of {size} leaves: expected {expected} subtrees, found {len(subtrees)}"
            raise ValueError(msg)
        self.size = size
        self.subtrees = list(subtrees)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        merged, carry = leaf, self.size
        while carry & 1:
            merged = node_hash(self.subtrees.pop(), merged)
            carry >>= 1
        self.subtrees.append(merged)
        self.size += 1

    def root(self) -> bytes:
        """The tree head."""
        if not self.subtrees:
            return hashlib.sha256(b"").digest()
        root = self.subtrees[-1]
        for subtree in reversed(self.subtrees[:-1]):
            root = node_hash(subtree, root)
        return root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root over all `leaves`.

    Raises:
        ValueError: there is no such leaf.
    """
    return inclusion_path(len(leaves), index, _root_over(leaves))


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that prove the tree over the first `old_size` leaves a prefix of the tree over all.

    Raises:
        ValueError: `old_size` is not 0 to the size of the tree.
    """
    return consistency_path(old_size, len(leaves), _root_over(leaves))


def inclusion_path(size: int, index: int, root_of: RootOf) -> list[bytes]:
    """`inclusion_proof` in a tree that answers the roots of its subtrees (RFC 6962 §2.1.1).

    Args:
        size: leaves in the tree.
        index: the leaf.
        root_of: the root over the leaves from one index to before another.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        msg = f"proving inclusion of leaf {index}: the tree has leaves 0 to {size - 1}"
        raise ValueError(msg)
    first, end, path = 0, size, list[bytes]()
    while end - first > 1:
        split = first + largest_power_below(end - first)
        if index < split:
            path.append(root_of(split, end))
            end = split
        else:
            path.append(root_of(first, split))
            first = split
    return path[::-1]


def consistency_path(old_size: int, size: int, root_of: RootOf) -> list[bytes]:
    """`consistency_proof` in a tree that answers the roots of its subtrees (RFC 6962 §2.1.2).

    Raises:
        ValueError: `old_size` is not 0 to the size of the tree.
    """
    if not 0 <= old_size <= size:
        msg = f"proving consistency with size {old_size}: the tree has {size} leaves"
        raise ValueError(msg)
    if old_size in (0, size):
        return []
    first, end, path = 0, size, list[bytes]()
    while old_size != end:
        split = first + largest_power_below(end - first)
        if old_size <= split:
            path.append(root_of(split, end))
            end = split
        else:
            path.append(root_of(first, split))
            first = split
    if first:  # the old root itself is known to whoever verifies; a subtree of it is not
        path.append(root_of(first, end))
    return path[::-1]


def largest_power_below(size: int) -> int:
    """The largest power of two below `size`: where RFC 6962 splits a tree of more than one leaf."""
    return 1 << ((size - 1).bit_length() - 1)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash stands at `index` in the tree of `size` leaves with that root."""
    if not 0 <= index < size or any(len(step) != HASH_BYTES for step in proof):
        return False
    position, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(step, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, step)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `new_size` leaves holds the tree of `old_size` unchanged at its start."""
    if not 0 <= old_size <= new_size or any(len(step) != HASH_BYTES for step in proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == tree_root([])
    steps = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    return bool(steps) and _walk(old_size - 1, new_size - 1, steps) == (old_root, new_root)


def _walk(position: int, last: int, steps: list[bytes]) -> tuple[bytes, bytes] | None:
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return None
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return (old, new) if last == 0 else None


def _root_over(leaves: Sequence[bytes]) -> RootOf:
    return lambda first, end: tree_root(leaves[first:end])
