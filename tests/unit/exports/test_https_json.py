"""The JSON client against what may stand where the receiver should, over a real TLS socket."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from exports.endpoints import HttpsJsonSettings
from exports.errors import PermanentError, SpecError, TransientError, UnreachableError
from exports.transports.base import Delivery, DeliveryRequest
from exports.transports.https_json import HttpsJsonTransport
from reference_plant.pki import make_pki


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    make_pki(folder / "pki", {})
    return folder


@contextmanager
def answering(site: Path, status: int, headers: dict[str, str], body: bytes) -> Iterator[int]:
    """A server that gives every request the same answer; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity = site / "pki" / "servers" / "park"
    tls.load_cert_chain(identity / "cert.pem", identity / "key.pem")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def client(site: Path, port: int = 1, ca_file: str = "pki/park_ca.pem") -> HttpsJsonTransport:
    settings = HttpsJsonSettings(
        type="https_json",
        url=f"https://127.0.0.1:{port}/api/v1/reports",
        ca_file=ca_file,
        enterprise_code="91320400MA1CHEM01X",
        hmac_key_secret="park_hmac_key",
    )
    return HttpsJsonTransport(settings, hmac_key="0f" * 32, site_root=site, timeout_s=5)


def deliver(site: Path, status: int, body: bytes = b"{}", **headers: str) -> Delivery:
    async def once(port: int) -> Delivery:
        transport = client(site, port)
        try:
            return await transport.deliver(DeliveryRequest(1, "park", "site", "key", b"{}", 1))
        finally:
            await transport.close()

    with answering(
        site, status, {name.replace("_", "-"): value for name, value in headers.items()}, body
    ) as port:
        return asyncio.run(once(port))


def test_a_receipt_is_a_delivery(site: Path) -> None:
    assert deliver(site, 200, b'{"receipt_id": "r1"}').reference == "r1"


@pytest.mark.parametrize("status", [302, 404, 405, 410])
def test_what_is_not_the_receiver_rejects_no_report(site: Path, status: int) -> None:
    with pytest.raises(UnreachableError, match="that is not the receiver"):
        deliver(site, status, Location="https://127.0.0.1/login")


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_receiver_that_read_the_report_may_refuse_it_for_good(site: Path, status: int) -> None:
    with pytest.raises(PermanentError, match=str(status)):
        deliver(site, status)


def test_an_answer_that_cannot_be_read_is_no_answer(site: Path) -> None:
    with pytest.raises(TransientError, match="no answer to be read"):
        deliver(site, 200, b"this is not gzip", Content_Encoding="gzip")


def test_an_authority_that_is_no_certificate_is_named(site: Path) -> None:
    (site / "pki" / "broken.pem").write_text("no certificate")
    with pytest.raises(SpecError, match=r"broken\.pem.*as PEM"):
        client(site, ca_file="pki/broken.pem")
