"""Who may open a session: clients whose certificate lies in the server's trust list, and nobody else.

asyncua accepts any certificate by default, and a channel without one may still ask for a session. Both
doors are shut here: at CreateSession, and at ActivateSession with the certificate of the secure channel.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

log = logging.getLogger(__name__)


class TrustList(UserManager):
    """The DER certificates of one folder. Read once: a new client needs a restart, as on many controllers."""

    def __init__(self, certificates: Iterable[bytes]) -> None:
        self._certificates = frozenset(certificates)

    async def check(self, certificate: x509.Certificate, application: ua.ApplicationDescription) -> None:
        """Called by asyncua at CreateSession.

        Raises:
            ServiceError: BadCertificateUntrusted or BadCertificateUriInvalid.
        """
        if certificate.public_bytes(Encoding.DER) not in self._certificates:
            log.warning("refused %s: its certificate is not in the trust list", application.ApplicationUri)
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if application.ApplicationUri not in names.get_values_for_type(x509.UniformResourceIdentifier):
            log.warning("refused %s: its certificate names another application", application.ApplicationUri)
            raise ServiceError(ua.StatusCodes.BadCertificateUriInvalid)

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Called by asyncua at ActivateSession with the channel's certificate; no user means refused."""
        del iserver, username, password
        if certificate is None or bytes(certificate) not in self._certificates:
            log.warning("refused a session on a channel without a trusted certificate")
            return None
        return User(role=UserRole.User)


def read_trust_list(folder: Path) -> TrustList:
    """The trust list of a folder of DER files.

    Raises:
        FileNotFoundError: it holds none, so that no client could ever connect.
    """
    certificates = [path.read_bytes() for path in sorted(folder.glob("*.der"))]
    if not certificates:
        msg = f"reading the server's trust list: no *.der in {folder}; put the collector's certificate there"
        raise FileNotFoundError(msg)
    return TrustList(certificates)
