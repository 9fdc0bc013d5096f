"""Checking a proof bundle offline: it needs the bundle, the log's public key, and nothing else of the site.

A bundle shows what was sent (the bytes and their hashes), what the receiver answered, and that both facts
stand in a log whose head is signed. Against a checkpoint kept elsewhere it shows that the log was not
rewritten since.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.checkpoints import Checkpoint, CheckpointError, verify_checkpoint
from protocols.content_hashes import sha256_hex, sm3_hex
from protocols.merkle import leaf_hash, verify_consistency, verify_inclusion

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)  # 1 had no earlier checkpoints


@dataclass(frozen=True)
class Verdict:
    """What checking a bundle found; it holds when there is no fault.

    Attributes:
        faults: what is not proved.
        facts: what the log says of the submission, oldest first; believe them only when it holds.
        checkpoint: the signed head, where its signature holds.
    """

    faults: tuple[str, ...]
    facts: tuple[Mapping[str, Any], ...] = ()
    checkpoint: Checkpoint | None = None

    @property
    def holds(self) -> bool:
        """Whether everything the bundle claims is proved."""
        return not self.faults


def verify(bundle: Mapping[str, Any], verify_key: Ed25519PublicKey, kept: str | None = None) -> Verdict:
    """Check a bundle against the log's public key.

    Args:
        bundle: as `exports.proofs.prove` made it, read back from JSON.
        verify_key: the log's key, got from the site once and kept.
        kept: an earlier checkpoint of the log, which the bundle must be consistent with.
    """
    version = bundle.get("format_version")
    if version not in READABLE_VERSIONS:
        return Verdict((f"format_version is {version!r}, expected one of {READABLE_VERSIONS}",))
    try:
        return _checked(bundle, verify_key, kept)
    except CheckpointError as error:
        return Verdict((str(error),))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Verdict((f"the bundle is damaged: {type(error).__name__} {error}",))


def _checked(bundle: Mapping[str, Any], verify_key: Ed25519PublicKey, kept: str | None) -> Verdict:
    checkpoint = verify_checkpoint(bundle["checkpoint"], bundle["log"], verify_key)
    faults: list[str] = []
    if checkpoint.origin != bundle["log"]:
        faults.append(f"the checkpoint is of log {checkpoint.origin}, the bundle says {bundle['log']}")
    for fact in bundle["facts"]:
        proof = _hashes(fact["inclusion_proof"])
        leaf = leaf_hash(fact["body"].encode())
        if not verify_inclusion(leaf, fact["leaf_index"], checkpoint.tree_size, proof, checkpoint.root):
            faults.append(f"leaf {fact['leaf_index']} is not in the signed log")
    facts = tuple(json.loads(fact["body"]) for fact in bundle["facts"])
    faults += _contradictions(bundle, facts)
    faults += _rewritten(bundle, checkpoint, verify_key, kept)
    return Verdict(tuple(faults), facts, checkpoint)


def _contradictions(bundle: Mapping[str, Any], facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where content and receipts are not those that the facts name."""
    queued = [fact for fact in facts if fact["kind"] == "enqueued"]
    if len(queued) != 1 or queued[0]["idempotency_key"] != bundle["idempotency_key"]:
        return [f"no single fact says that {bundle['idempotency_key']} was queued"]
    found: list[str] = []
    if len({fact["submission_id"] for fact in facts}) != 1:
        found.append("the facts are of several submissions")
    content = _bytes(bundle["content_base64"])
    if sha256_hex(content) != queued[0]["content_sha256"]:
        found.append("the content is not the one that was queued")
    elif queued[0].get("content_sm3") not in (None, sm3_hex(content)):
        found.append("the content is not the one that was queued, by its SM3")
    answered = sorted(fact["receipt_sha256"] for fact in facts if "receipt_sha256" in fact)
    if sorted(sha256_hex(_bytes(receipt)) for receipt in bundle["receipts_base64"]) != answered:
        found.append("the receipts are not those that were received")
    return found


def _rewritten(
    bundle: Mapping[str, Any], head: Checkpoint, verify_key: Ed25519PublicKey, kept: str | None
) -> list[str]:
    """Where the log is not a continuation of the checkpoints named in the bundle and kept elsewhere."""
    found: list[str] = []
    shown = {head.tree_size: head.root}
    for earlier in bundle.get("earlier", ()):
        one = verify_checkpoint(earlier["checkpoint"], bundle["log"], verify_key)
        proof = _hashes(earlier["consistency_proof"])
        if verify_consistency(one.tree_size, one.root, head.tree_size, head.root, proof):
            shown[one.tree_size] = one.root
        else:
            found.append(f"the log of {head.tree_size} leaves does not continue that of {one.tree_size}")
    if kept is None:
        return found
    mine = verify_checkpoint(kept, bundle["log"], verify_key)
    if mine.tree_size not in shown:
        found.append(
            f"the bundle proves nothing of the kept checkpoint of {mine.tree_size} leaves; have the site "
            "make it with that checkpoint: chemlink verify KEY --checkpoint FILE --save BUNDLE"
        )
    elif shown[mine.tree_size] != mine.root:
        found.append(
            f"the log was rewritten: at {mine.tree_size} leaves it had another root than the kept one"
        )
    return found


def _hashes(steps: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(step) for step in steps]


def _bytes(encoded: str) -> bytes:
    return base64.b64decode(encoded, validate=True)
