"""Encryption of a block for one receiver, with nothing coming back: ECIES, one X25519 key pair a session.

The sender draws a key pair when a session begins and sends its public half with every block. Both sides
derive the same AES-256-GCM key (HKDF-SHA256 over the shared secret, bound to both public keys and the
session). The block's number is the nonce: within a session it never repeats, and no session returns.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

TAG_BYTES = 16
_PURPOSE = b"chemlink gateway block v1"


class CipherError(ValueError):
    """A block does not open: encrypted for another receiver, or changed."""


class BlockCipher:
    """Seals and opens the blocks of one session.

    Args:
        secret: the shared secret of the two X25519 keys.
        ephemeral_key: the session's public key, 32 bytes.
        receiver_key: the receiver's public key, 32 bytes.
        session: the session's number.
    """

    def __init__(self, secret: bytes, ephemeral_key: bytes, receiver_key: bytes, session: int) -> None:
        self.ephemeral_key = ephemeral_key
        self._context = session.to_bytes(8, "big")
        info = _PURPOSE + ephemeral_key + receiver_key
        derived = HKDF(hashes.SHA256(), length=32, salt=self._context, info=info).derive(secret)
        self._cipher = AESGCM(derived)

    def seal(self, block: int, content: bytes) -> bytes:
        """The encrypted content, 16 bytes longer."""
        return self._cipher.encrypt(self._nonce(block), content, self._context)

    def open(self, block: int, sealed: bytes) -> bytes:
        """The content.

        Raises:
            CipherError: it does not open with this session's key.
        """
        try:
            return self._cipher.decrypt(self._nonce(block), sealed, self._context)
        except InvalidTag as error:
            msg = (
                f"opening block {block}: it was encrypted for another receiver or changed; give the sender "
                "this receiver's public key"
            )
            raise CipherError(msg) from error

    @staticmethod
    def _nonce(block: int) -> bytes:
        return block.to_bytes(12, "big")


def sending_cipher(receiver_key: X25519PublicKey, session: int) -> BlockCipher:
    """The cipher of a new session towards one receiver."""
    ephemeral = X25519PrivateKey.generate()
    secret = ephemeral.exchange(receiver_key)
    return BlockCipher(
        secret, ephemeral.public_key().public_bytes_raw(), receiver_key.public_bytes_raw(), session
    )


def receiving_cipher(receiver_key: X25519PrivateKey, ephemeral_key: bytes, session: int) -> BlockCipher:
    """The cipher of a session that another began for this receiver.

    Raises:
        CipherError: the session's key is no usable one.
    """
    try:
        secret = receiver_key.exchange(X25519PublicKey.from_public_bytes(ephemeral_key))
    except ValueError as error:
        msg = f"beginning session {session}: its X25519 key is refused ({error})"
        raise CipherError(msg) from error
    return BlockCipher(secret, ephemeral_key, receiver_key.public_key().public_bytes_raw(), session)
