"""Merkle proofs and signed checkpoints, against reference vectors of CT and C2SP."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from protocols import checkpoints, merkle

BODIES = [
    bytes.fromhex(body)
    for body in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [merkle.leaf_hash(body) for body in BODIES]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"


def hexes(proof: list[bytes]) -> list[str]:
    return [step.hex() for step in proof]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert merkle.tree_root([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_reference_ones(size: int) -> None:
    assert merkle.tree_root(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [(0, 1, []), (0, 8, [A, B, C]), (5, 8, [D, E, ROOTS[3]]), (2, 3, [ROOTS[1]])],
)
def test_inclusion_proofs_are_the_reference_ones(index: int, size: int, proof: list[str]) -> None:
    assert hexes(merkle.inclusion_proof(LEAVES[:size], index)) == proof


@pytest.mark.parametrize(
    ("old", "new", "proof"), [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])]
)
def test_consistency_proofs_are_the_reference_ones(old: int, new: int, proof: list[str]) -> None:
    assert hexes(merkle.consistency_proof(LEAVES[:new], old)) == proof


leaf_lists = st.integers(1, 70).map(lambda size: [merkle.leaf_hash(str(n).encode()) for n in range(size)])


@given(leaf_lists, st.data())
def test_every_inclusion_proof_verifies_and_no_other_leaf_place_or_root_does(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = merkle.tree_root(leaves), merkle.inclusion_proof(leaves, index)
    assert merkle.verify_inclusion(leaves[index], index, len(leaves), proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, len(leaves), proof, root)
    assert not merkle.verify_inclusion(leaves[index], index, len(leaves), proof, bytes(32))
    assert not merkle.verify_inclusion(leaves[index], index, len(leaves), [*proof, bytes(32)], root)
    assert not merkle.verify_inclusion(leaves[index], len(leaves), len(leaves), proof, root)
    if proof:
        assert not merkle.verify_inclusion(leaves[index], index, len(leaves), proof[1:], root)


@given(leaf_lists, st.data())
def test_every_consistency_proof_verifies_and_a_rewritten_past_does_not(
    leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, len(leaves)))
    old_root, root = merkle.tree_root(leaves[:old]), merkle.tree_root(leaves)
    proof = merkle.consistency_proof(leaves, old)
    assert merkle.verify_consistency(old, old_root, len(leaves), root, proof)
    if old:
        rewritten = [merkle.leaf_hash(b"other"), *leaves[1:]]
        forged = merkle.consistency_proof(rewritten, old)
        assert not merkle.verify_consistency(old, old_root, len(leaves), merkle.tree_root(rewritten), forged)
        assert not merkle.verify_consistency(old, old_root, len(leaves), root, [*proof, bytes(32)])


@given(leaf_lists, st.data())
def test_a_frontier_resumed_anywhere_ends_in_the_same_root(leaves: list[bytes], data: st.DataObject) -> None:
    pause = data.draw(st.integers(0, len(leaves)))
    first = merkle.Frontier()
    for leaf in leaves[:pause]:
        first.append(leaf)
    second = merkle.Frontier(first.size, first.subtrees)
    for leaf in leaves[pause:]:
        second.append(leaf)
    assert second.root() == merkle.tree_root(leaves)


def test_a_frontier_with_the_wrong_number_of_subtrees_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 subtrees, found 1"):
        merkle.Frontier(3, [bytes(32)])


def test_the_reference_note_of_c2sp_verifies() -> None:
    blob = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    key = Ed25519PublicKey.from_public_bytes(blob[1:])
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    assert checkpoints.key_id("PeterNeumann", key).hex() == "c74f20a3"
    assert checkpoints.verify_note(f"{text}\n— PeterNeumann {signature}\n", "PeterNeumann", key) == text


def test_a_signed_checkpoint_comes_back_and_any_change_is_found() -> None:
    key = Ed25519PrivateKey.generate()
    head = checkpoints.Checkpoint("chemlink.example/site", 8, bytes.fromhex(ROOTS[7]))
    note = checkpoints.sign_checkpoint(head, "chemlink.example/site", key)
    public = key.public_key()
    assert checkpoints.verify_checkpoint(note, "chemlink.example/site", public) == head
    with pytest.raises(checkpoints.CheckpointSignatureError):
        checkpoints.verify_checkpoint(note.replace("\n8\n", "\n9\n"), "chemlink.example/site", public)
    with pytest.raises(checkpoints.CheckpointSignatureError):
        checkpoints.verify_checkpoint(note, "another", public)
    with pytest.raises(checkpoints.CheckpointFormatError):
        checkpoints.verify_checkpoint(head.text(), "chemlink.example/site", public)
