"""The receiver's own key pair: with its public half the control zone encrypts for this site only."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from orchestration.services import RECEIVER_KEY_NAME
from orchestration.settings import Settings
from protocols.durable_files import write_durably
from protocols.keys import load_box_key

PUBLIC_NAME = "gateway_receiver_public.pem"


def make_receiver_key(settings: Settings) -> Path:
    """Make the pair in the site's `pki/`, or only its public half where the private one is there.

    Returns:
        Where the public half lies.

    Raises:
        KeyFileError: what lies in the private half's place is another key.
    """
    path = settings.site_dir / "pki" / RECEIVER_KEY_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        key = X25519PrivateKey.generate()
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = path.with_name(PUBLIC_NAME)
    content = load_box_key(path).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_durably(public, content)
    return public
