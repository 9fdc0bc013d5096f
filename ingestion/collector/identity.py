"""The keys a new collector needs: its OPC UA application certificate, and the pair that signs segments.

Made in the control zone, where the private halves stay. What exists is never replaced: a server trusts the
certificate it was given, and landing the key it was given.
"""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ingestion.collector.settings import SettingsError
from protocols.durable_files import write_durably
from protocols.keys import load_sign_key

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from ingestion.collector.settings import PkiSettings

LIFETIME = timedelta(days=5 * 365)
VERIFY_KEY_NAME = "gateway_verify.pem"


@dataclass(frozen=True)
class IdentityReport:
    """Which files were made, and what the neighbours must be given.

    Attributes:
        made: files written now; none when all were there.
        certificate: goes into the trust list of every OPC UA server.
        fingerprint: SHA-256 of the certificate, to compare over another way.
        verify_key: goes to `pki/` of the business zone.
    """

    made: tuple[Path, ...]
    certificate: Path
    fingerprint: str
    verify_key: Path


def make_identity(pki: PkiSettings, collector_id: str) -> IdentityReport:
    """Make what is missing of the collector's keys and leave the rest alone.

    Raises:
        SettingsError: half of a pair is there; the message says which file is missing.
    """
    verify_key = pki.sign_key.with_name(VERIFY_KEY_NAME)
    made: list[Path] = []
    if not _is_whole(pki.certificate, pki.private_key):
        _make_certificate(pki, collector_id)
        made += [pki.certificate, pki.private_key]
    if not pki.sign_key.exists():
        if verify_key.exists():
            msg = f"making keys: {verify_key} is there, its private half {pki.sign_key} is not; {_REMEDY}"
            raise SettingsError(msg)
        _write_private(pki.sign_key, ed25519.Ed25519PrivateKey.generate())
        made.append(pki.sign_key)
    if not verify_key.exists():
        public = load_sign_key(pki.sign_key).public_key()
        write_durably(verify_key, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        made.append(verify_key)
    pki.trusted_dir.mkdir(parents=True, exist_ok=True)
    fingerprint = hashlib.sha256(pki.certificate.read_bytes()).hexdigest()
    return IdentityReport(tuple(made), pki.certificate, fingerprint, verify_key)


_REMEDY = "bring it back from the backup, or move the other away to have both made anew"


def _is_whole(certificate: Path, private_key: Path) -> bool:
    if certificate.exists() != private_key.exists():
        absent = private_key if certificate.exists() else certificate
        msg = f"making keys: {absent} is missing and its other half is there; {_REMEDY}"
        raise SettingsError(msg)
    return certificate.exists()


def _make_certificate(pki: PkiSettings, collector_id: str) -> None:
    """A self-signed application certificate as OPC UA part 6, 6.2.2 describes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    host = socket.gethostname()
    uri = f"urn:{re.sub(r'[^A-Za-z0-9.-]', '-', host)}:chemlink:{collector_id}"
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ChemLink"),
            x509.NameAttribute(NameOID.COMMON_NAME, collector_id),
        ]
    )
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a server's clock may be behind ours
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, is_critical in _extensions(uri, host):
        builder = builder.add_extension(extension, critical=is_critical)
    certificate = builder.sign(key, hashes.SHA256())
    _write_private(pki.private_key, key)
    pki.certificate.parent.mkdir(parents=True, exist_ok=True)
    write_durably(pki.certificate, certificate.public_bytes(Encoding.DER))


def _extensions(uri: str, host: str) -> list[tuple[x509.ExtensionType, bool]]:
    names = [x509.UniformResourceIdentifier(uri), x509.DNSName(host)]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return [
        (x509.SubjectAlternativeName(names), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    ]


def _write_private(path: Path, key: PrivateKeyTypes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
