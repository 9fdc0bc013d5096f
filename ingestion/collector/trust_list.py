"""The trust list as an engineer sees it: which certificates are believed, which refused, and for how long.

Files stay what they are, DER in two folders; these are the same moves that could be made by hand, checked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ingestion.collector.settings import SettingsError
from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ingestion.collector.settings import PkiSettings

State = Literal["own", "trusted", "rejected"]
_LEAST_KEY_BITS = 2048  # OPC UA Part 7, Basic256Sha256 and later
_LEAST_PREFIX = 6


class UnknownCertificateError(SettingsError):
    """No certificate, or several, have that fingerprint."""


@dataclass(frozen=True)
class KnownCertificate:
    """One certificate and how it stands.

    Attributes:
        fingerprint: SHA-256 of the whole certificate, in hexadecimal.
        application_uri: the application it is made out to; none where it names none.
        warnings: what is doubtful about it, each in Chinese and English.
    """

    state: State
    fingerprint: str
    subject: str
    issuer: str
    application_uri: str | None
    not_before: datetime
    not_after: datetime
    key_bits: int | None
    path: Path
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def days_left(self) -> int:
        """Whole days until it ends, by the machine's clock; negative once it is over."""
        return (self.not_after - datetime.now(UTC)).days


def certificates(pki: PkiSettings) -> list[KnownCertificate]:
    """The own certificate, the trusted and the refused ones; files that are no certificate are left out."""
    return [*_in_state("own", pki), *_in_state("trusted", pki), *_in_state("rejected", pki)]


def find(pki: PkiSettings, fingerprint: str) -> KnownCertificate:
    """The certificate whose fingerprint begins so.

    Raises:
        UnknownCertificateError: none or several do, or too little was given to be sure.
    """
    wanted = "".join(letter for letter in fingerprint.lower() if letter not in ": ")
    if len(wanted) < _LEAST_PREFIX:
        msg = f"fingerprint {fingerprint!r} is too short; give at least {_LEAST_PREFIX} digits of it"
        raise UnknownCertificateError(msg)
    found = {one.fingerprint: one for one in certificates(pki) if one.fingerprint.startswith(wanted)}
    if len(found) != 1:
        known = ", ".join(sorted(one.fingerprint[:16] for one in certificates(pki))) or "none"
        msg = f"{len(found)} certificates have a fingerprint that begins with {wanted}; known: {known}"
        raise UnknownCertificateError(msg)
    return found.popitem()[1]


def accept(pki: PkiSettings, fingerprint: str) -> KnownCertificate:
    """Trust a certificate that was refused; the next attempt to connect succeeds.

    Raises:
        UnknownCertificateError: no refused certificate has that fingerprint.
    """
    found = find(pki, fingerprint)
    if found.state == "own":
        msg = f"{found.fingerprint[:16]} is the collector's own certificate; it belongs to the servers' lists"
        raise UnknownCertificateError(msg)
    return _move(found, pki, "trusted")


def remove(pki: PkiSettings, fingerprint: str) -> KnownCertificate:
    """Trust a certificate no longer; it is kept among the refused ones, so that this can be undone.

    Raises:
        UnknownCertificateError: no trusted certificate has that fingerprint.
    """
    found = find(pki, fingerprint)
    if found.state != "trusted":
        msg = f"{found.fingerprint[:16]} is not trusted, it is {found.state}; nothing was changed"
        raise UnknownCertificateError(msg)
    return _move(found, pki, "rejected")


def _move(
    found: KnownCertificate, pki: PkiSettings, state: Literal["trusted", "rejected"]
) -> KnownCertificate:
    folder = pki.trusted_dir if state == "trusted" else pki.rejected_dir
    target = folder / f"{found.fingerprint[:16]}.der"
    content = found.path.read_bytes()
    if found.state != state:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(target, content)
    # Every other file that holds it goes, or the certificate would stand in both lists.
    for one in certificates(pki):
        if one.fingerprint == found.fingerprint and one.state not in (state, "own"):
            one.path.unlink()
    return _read(
        "own" if found.state == "own" else state, target if found.state != state else found.path, content
    )


def _in_state(state: State, pki: PkiSettings) -> Iterator[KnownCertificate]:
    if state == "own":
        paths = [pki.certificate] if pki.certificate.is_file() else []
    else:
        folder = pki.trusted_dir if state == "trusted" else pki.rejected_dir
        paths = sorted(folder.glob("*.der")) if folder.is_dir() else []
    for path in paths:
        try:
            yield _read(state, path, path.read_bytes())
        except ValueError:
            continue  # not a certificate: no server is believed because of it either


def _read(state: State, path: Path, content: bytes) -> KnownCertificate:
    loaded = x509.load_der_x509_certificate(content)
    key = loaded.public_key()
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey) else None
    return KnownCertificate(
        state=state,
        fingerprint=hashlib.sha256(content).hexdigest(),
        subject=loaded.subject.rfc4514_string(),
        issuer=loaded.issuer.rfc4514_string(),
        application_uri=_application_uri(loaded),
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        key_bits=bits,
        path=path,
        warnings=tuple(_warnings(loaded, bits)),
    )


def _application_uri(certificate: x509.Certificate) -> str | None:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    found = names.get_values_for_type(x509.UniformResourceIdentifier)
    return found[0] if found else None


def _warnings(certificate: x509.Certificate, bits: int | None) -> Iterator[tuple[str, str]]:
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc < now:
        yield "已过期", "it is over"
    elif certificate.not_valid_before_utc > now:
        yield "尚未生效", "it is not yet valid"
    if bits is None:
        yield "不是 RSA 密钥", "its key is not RSA"
    elif bits < _LEAST_KEY_BITS:
        yield f"密钥只有 {bits} 位", f"its key has only {bits} bits"
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None and algorithm.name in ("md5", "sha1"):
        yield f"签名算法 {algorithm.name} 已不安全", f"its signature algorithm {algorithm.name} is broken"
    if _application_uri(certificate) is None:
        yield "没有应用 URI", "it names no application URI"
