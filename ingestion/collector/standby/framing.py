"""Messages between the two: a length, JSON, and bytes; over TLS 1.3 with each other's certificate pinned.

The certificates are the OPC UA ones that both have. They are good for a client only by their extended key
usage, so the client compares the server's certificate byte by byte instead of having it validated.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ingestion.collector.settings_base import SettingsError
from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = struct.Struct(">II")
_HEADER_LIMIT = 4 * 1024 * 1024
_BODY_LIMIT = 1024 * 1024 * 1024


class PeerError(ConnectionError):
    """The other side is not the peer, or does not speak as it should."""


async def send(writer: asyncio.StreamWriter, header: dict[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header, separators=(",", ":")).encode()
    writer.write(_HEAD.pack(len(text), len(body)))
    writer.write(text)
    writer.write(body)
    await writer.drain()


async def receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """The next message: what it says, and its bytes.

    Raises:
        PeerError: it is none.
        EOFError, OSError: the connection ended.
    """
    header_size, body_size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if header_size > _HEADER_LIMIT or body_size > _BODY_LIMIT:
        msg = f"found a message of {header_size} and {body_size} bytes; expected a collector of this version"
        raise PeerError(msg)
    try:
        header = json.loads(await reader.readexactly(header_size))
    except ValueError as error:
        msg = f"found a message that is no JSON: {error}"
        raise PeerError(msg) from error
    if not isinstance(header, dict):
        msg = f"found a message that is {type(header).__name__}, expected an object"
        raise PeerError(msg)
    return header, await reader.readexactly(body_size)


class PeerCertificates:
    """TLS of both directions.

    Args:
        own: own certificate, DER.
        private_key: its key, PEM.
        peer: the peer's certificate, DER or PEM.
        folder: where the own certificate is put as PEM, which is what TLS reads.

    Raises:
        SettingsError: a file is missing or is no certificate.
    """

    def __init__(self, own: Path, private_key: Path, peer: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        chain = folder / "own_cert.pem"
        write_durably(chain, _load(own).public_bytes(Encoding.PEM))
        self._peer = _load(peer).public_bytes(Encoding.DER)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.verify_mode = ssl.CERT_REQUIRED
        self.server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self.server.load_verify_locations(cadata=self._peer)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.check_hostname = False
        self.client.verify_mode = ssl.CERT_NONE  # compared with the pinned one by `require_peer`
        for context in (self.server, self.client):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(chain, private_key)

    def require_peer(self, writer: asyncio.StreamWriter) -> None:
        """Refuse a connection that is not with the peer.

        Raises:
            PeerError: the certificate shown is another one.
        """
        connection = writer.get_extra_info("ssl_object")
        if connection is None or connection.getpeercert(binary_form=True) != self._peer:
            msg = "the other side shows another certificate than peer_certificate; put its own/cert.der there"
            raise PeerError(msg)


def _load(path: Path) -> x509.Certificate:
    try:
        content = path.read_bytes()
        is_pem = content.startswith(b"-----")
        return x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
    except (OSError, ValueError) as error:
        msg = f"reading certificate {path}: {error}; copy the peer's pki/own/cert.der there"
        raise SettingsError(msg) from error
