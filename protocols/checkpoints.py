"""Signed tree heads as text: a C2SP checkpoint inside a C2SP signed note, Ed25519.

A checkpoint can be printed, mailed to the regulator and verified with any tool that knows the two formats
(c2sp.org/tlog-checkpoint, c2sp.org/signed-note).

    CheckpointError
    ├── CheckpointFormatError     the text is no signed checkpoint
    └── CheckpointSignatureError  no signature of the expected key holds
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from protocols.merkle import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_SIGNATURE_PREFIX = "— "
_KEY_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class CheckpointError(ValueError):
    """A checkpoint cannot be written or must not be believed."""


class CheckpointFormatError(CheckpointError):
    """The text is no signed checkpoint."""


class CheckpointSignatureError(CheckpointError):
    """No signature of the expected key holds."""


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: whose log (`origin`), how many leaves, and their root."""

    origin: str
    tree_size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed: three lines."""
        return f"{self.origin}\n{self.tree_size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, key_name: str, sign_key: Ed25519PrivateKey) -> str:
    """The signed note of a checkpoint.

    Args:
        checkpoint: the tree head.
        key_name: names the key in the note, usually the origin; without blanks and plus signs.
        sign_key: the log's private key.

    Raises:
        CheckpointFormatError: the key name or the origin cannot stand in a note.
    """
    if not _KEY_NAME.fullmatch(key_name) or not checkpoint.origin or "\n" in checkpoint.origin:
        msg = (
            f"signing a checkpoint of {checkpoint.origin!r} as {key_name!r}: "
            "expected an origin of one line and a key name without blanks or +"
        )
        raise CheckpointFormatError(msg)
    text = checkpoint.text()
    signature = key_id(key_name, sign_key.public_key()) + sign_key.sign(text.encode())
    return f"{text}\n{_SIGNATURE_PREFIX}{key_name} {base64.b64encode(signature).decode()}\n"


def verify_checkpoint(note: str, key_name: str, verify_key: Ed25519PublicKey) -> Checkpoint:
    """The checkpoint of a note that the expected key signed. Signatures of other keys are passed over.

    Raises:
        CheckpointFormatError: the text is no signed checkpoint.
        CheckpointSignatureError: no signature of the expected key holds.
    """
    return _read(verify_note(note, key_name, verify_key))


def verify_note(note: str, key_name: str, verify_key: Ed25519PublicKey) -> str:
    """The text of a signed note, its last line end included, when the expected key signed it.

    Raises:
        CheckpointFormatError: the note has no signatures.
        CheckpointSignatureError: no signature of the expected key holds.
    """
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        msg = f"reading note {note[:120]!r}: expected text, an empty line and signature lines"
        raise CheckpointFormatError(msg)
    signed = f"{text}\n".encode()
    expected_id = key_id(key_name, verify_key)
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
        if not line.startswith(_SIGNATURE_PREFIX) or not encoded:
            msg = f"reading note: {line[:80]!r} is no signature line"
            raise CheckpointFormatError(msg)
        blob = _decode(encoded)
        if name == key_name and blob[:4] == expected_id and _holds(verify_key, blob[4:], signed):
            return f"{text}\n"
    msg = (
        f"reading note: no signature of {key_name}+{expected_id.hex()} holds; the text or the key is another"
    )
    raise CheckpointSignatureError(msg)


def checkpoint_of(note: str) -> Checkpoint:
    """What a note says, believed or not: for whoever wrote it, never for whoever checks it.

    Raises:
        CheckpointFormatError: the text is no checkpoint.
    """
    return _read(note.rpartition("\n\n")[0] + "\n")


def verifier_text(key_name: str, verify_key: Ed25519PublicKey) -> str:
    """The public key as C2SP tools take it: name, key id and key in one line (a "vkey")."""
    key = base64.b64encode(_ED25519 + verify_key.public_bytes_raw()).decode()
    return f"{key_name}+{key_id(key_name, verify_key).hex()}+{key}"


def key_id(key_name: str, verify_key: Ed25519PublicKey) -> bytes:
    """The four bytes that name a key in a signature line."""
    return hashlib.sha256(key_name.encode() + b"\n" + _ED25519 + verify_key.public_bytes_raw()).digest()[:4]


def _read(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        msg = f"reading checkpoint {text[:120]!r}: expected the lines origin, size and root"
        raise CheckpointFormatError(msg)
    root = _decode(lines[2])
    if len(root) != HASH_BYTES:
        msg = f"reading checkpoint of {lines[0]}: the root has {len(root)} bytes, expected {HASH_BYTES}"
        raise CheckpointFormatError(msg)
    return Checkpoint(lines[0], int(lines[1]), root)


def _holds(verify_key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        verify_key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decode(encoded: str) -> bytes:
    """The bytes of base64 written as any encoder writes it; a changed spare bit is a changed note."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        msg = f"reading note: {encoded[:80]!r} is not base64"
        raise CheckpointFormatError(msg) from error
    if base64.b64encode(decoded).decode() != encoded:
        msg = f"reading note: {encoded[:80]!r} is not the base64 of what it stands for"
        raise CheckpointFormatError(msg)
    return decoded
