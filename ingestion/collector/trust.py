"""Own certificate and trust list. A server is believed only when its certificate lies in the trusted folder.

asyncua takes any certificate unless told otherwise; here the one that the server's endpoint shows is
compared byte by byte with the files an engineer has put there.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    from pathlib import Path


class TrustError(ValueError):
    """The server's certificate is not trusted, or the own one cannot be used."""


class CertificateDateError(TrustError):
    """A trusted certificate is not valid now.

    Attributes:
        not_after: when it ends or ended.
    """

    def __init__(self, message: str, not_after: datetime) -> None:
        super().__init__(message)
        self.not_after = not_after


def require_trusted(certificate: bytes, trusted_dir: Path, rejected_dir: Path, url: str) -> None:
    """Return when `certificate` (DER) is in the trust list and in date.

    An untrusted one is kept in the rejected folder, so that an engineer can compare and move it.

    Raises:
        TrustError: it is not in the list.
        CertificateDateError: it is out of date.
    """
    fingerprint = hashlib.sha256(certificate).hexdigest()
    trusted = (
        {file.read_bytes() for file in sorted(trusted_dir.glob("*.der"))} if trusted_dir.is_dir() else set()
    )
    if certificate not in trusted:
        rejected_dir.mkdir(parents=True, exist_ok=True)
        kept = rejected_dir / f"{fingerprint[:16]}.der"
        kept.write_bytes(certificate)
        msg = (
            f"connecting to {url}: its certificate (SHA-256 {fingerprint}) is not among the {len(trusted)} "
            f"in {trusted_dir}; compare the fingerprint with the server's and, if equal, move {kept} there"
        )
        raise TrustError(msg)
    _require_in_date(certificate, url)


def application_uri(certificate: Path) -> str:
    """The application URI the own certificate (DER) is made out to; a server compares it.

    Raises:
        TrustError: the file is no certificate, or names no URI.
    """
    try:
        loaded = x509.load_der_x509_certificate(certificate.read_bytes())
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    except (OSError, ValueError, x509.ExtensionNotFound, IndexError) as error:
        msg = f"reading own certificate {certificate}: {error!r}; expected DER with an application URI as SAN"
        raise TrustError(msg) from error


def _require_in_date(certificate: bytes, url: str) -> None:
    loaded = x509.load_der_x509_certificate(certificate)
    now = datetime.now(UTC)  # certificates are dated by the machine's clock, not the plant's
    if not loaded.not_valid_before_utc <= now <= loaded.not_valid_after_utc:
        until = loaded.not_valid_after_utc
        msg = (
            f"连接 {url}：服务器证书有效期为 {loaded.not_valid_before_utc} 至 {until}，现在是 {now}；"
            "请换发证书，或校正本机时钟 "
            f"/ connecting to {url}: its certificate is valid from {loaded.not_valid_before_utc} to {until}, "
            f"now is {now}; renew it or correct the machine's clock"
        )
        raise CertificateDateError(msg, until)
