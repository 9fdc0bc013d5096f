"""The two hashes of a content: SHA-256, which any tool computes, and SM3 (GB/T 32905-2016)."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.hashes import SM3, Hash


def sha256_hex(content: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sm3_hex(content: bytes) -> str:
    """SM3 as 64 hexadecimal digits."""
    digest = Hash(SM3())
    digest.update(content)
    return digest.finalize().hex()
