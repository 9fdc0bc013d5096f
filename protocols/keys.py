"""Key files in PEM: Ed25519 pairs that sign, X25519 pairs that encrypt for one receiver (a "box")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class KeyFileError(ValueError):
    """A key file is missing or holds another kind of key."""


def load_sign_key(path: Path) -> Ed25519PrivateKey:
    """The private Ed25519 key in a PEM file without passphrase.

    Raises:
        KeyFileError: the file is missing, is no PEM, or holds another kind of key.
    """
    key = _read(path, "private", lambda data: load_pem_private_key(data, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"reading signing key {path}: found {type(key).__name__}, expected an Ed25519 private key"
        raise KeyFileError(msg)
    return key


def load_verify_key(path: Path) -> Ed25519PublicKey:
    """The public Ed25519 key in a PEM file.

    Raises:
        KeyFileError: the file is missing, is no PEM, or holds another kind of key.
    """
    key = _read(path, "public", load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        msg = f"reading verification key {path}: found {type(key).__name__}, expected an Ed25519 public key"
        raise KeyFileError(msg)
    return key


def load_box_key(path: Path) -> X25519PrivateKey:
    """The private X25519 key in a PEM file without passphrase.

    Raises:
        KeyFileError: the file is missing, is no PEM, or holds another kind of key.
    """
    key = _read(path, "private", lambda data: load_pem_private_key(data, password=None))
    if not isinstance(key, X25519PrivateKey):
        msg = f"reading receiver key {path}: found {type(key).__name__}, expected an X25519 private key"
        raise KeyFileError(msg)
    return key


def load_box_public_key(path: Path) -> X25519PublicKey:
    """The public X25519 key in a PEM file.

    Raises:
        KeyFileError: the file is missing, is no PEM, or holds another kind of key.
    """
    key = _read(path, "public", load_pem_public_key)
    if not isinstance(key, X25519PublicKey):
        msg = f"reading receiver key {path}: found {type(key).__name__}, expected an X25519 public key"
        raise KeyFileError(msg)
    return key


def _read(path: Path, half: str, load: Callable[[bytes], object]) -> object:
    try:
        return load(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        msg = (
            f"reading {half} key {path}: {error}; expected a PEM file with a {half} key, "
            "as `chemlink keys` and `chemlink receive --make-key` make"
        )
        raise KeyFileError(msg) from error
