"""Keys and certificates of a reference plant: OPC UA applications, the gateway's signature, the park's TLS.

Made afresh for each site directory. Certificates are dated by this machine's clock, not the plant's: TLS and
OPC UA check them against the machine.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=3650)
COLLECTOR_URI = "urn:chemlink:collector"
_HOSTS = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@dataclass(frozen=True)
class Identity:
    """A private key and the certificate for it."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate as OPC UA exchanges it."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate as TLS reads it."""
        return self.certificate.public_bytes(Encoding.PEM)


def make_pki(folder: Path, opcua_servers: dict[str, str]) -> None:
    """Writes everything below `pki/`.

    Args:
        folder: the site's `pki` directory.
        opcua_servers: application URI by system id.
    """
    collector = application_identity("ChemLink collector", COLLECTOR_URI, is_server=False)
    _write_identity(folder / "own", collector)
    for system_id, uri in opcua_servers.items():
        server = application_identity(system_id, uri, is_server=True)
        own = folder / "servers" / system_id
        _write_identity(own, server)
        _write(own / "trusted" / "collector.der", collector.der)
        _write(folder / "trusted" / f"{system_id}.der", server.der)
    _make_gateway_keys(folder)
    _make_park(folder)


def server_uri(namespace_uri: str) -> str:
    """The application URI of the server that serves a namespace."""
    return f"{namespace_uri}:server"


def application_identity(name: str, uri: str, *, is_server: bool) -> Identity:
    """A self-signed OPC UA application certificate (Part 6, 6.2.2), trusted by being in a trust list."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = _name(name)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = _builder(subject, subject, key.public_key())
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), *_HOSTS]), critical=False
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Identity(key, builder.sign(key, hashes.SHA256()))


def _make_gateway_keys(folder: Path) -> None:
    """Signs segments in the control zone; only the public half belongs to the business zone."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write_secret(folder / "gateway_sign.pem", private)
    _write(folder / "gateway_verify.pem", public)


def _make_park(folder: Path) -> None:
    """The park's own certificate authority, and its HTTPS server's certificate."""
    authority_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority_name = _name("Reference park CA")
    builder = _builder(authority_name, authority_name, authority_key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    authority = builder.sign(authority_key, hashes.SHA256())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    builder = _builder(_name("Reference park"), authority_name, key.public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName(_HOSTS), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
    )
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    server = Identity(key, builder.sign(authority_key, hashes.SHA256()))
    _write(folder / "park_ca.pem", authority.public_bytes(Encoding.PEM))
    _write(folder / "servers" / "park" / "cert.pem", server.pem)
    _write_secret(folder / "servers" / "park" / "key.pem", _key_pem(server.key))


def _builder(subject: x509.Name, issuer: x509.Name, public_key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=not signs_certificates,
        key_encipherment=not signs_certificates,
        data_encipherment=not signs_certificates,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ChemLink reference plant")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_identity(folder: Path, identity: Identity) -> None:
    _write(folder / "cert.der", identity.der)
    _write_secret(folder / "key.pem", _key_pem(identity.key))


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_secret(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
