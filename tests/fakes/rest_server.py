"""A real HTTP server with one table, which pages, throttles, fails and changes as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PAGE = 3


@dataclass
class RestServer:
    """The server.

    Attributes:
        rows: the table.
        answers: what the next requests get instead of a page: status and headers.
        between: called after each page.
        wants: a header that every request must have.
        asked: parameters of the requests so far.
    """

    rows: list[Any] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    wants: tuple[str, str] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def page(self, request: Request) -> Response:
        said = dict(request.query_params)
        self.asked.append(said)
        if self.wants and request.headers.get(self.wants[0]) != self.wants[1]:
            return Response(status_code=401)
        if self.answers:
            status, headers = self.answers.pop(0)
            if status:
                return Response("<html>", status_code=status, headers=headers)
        style = request.path_params["style"]
        rows = self._since(said)
        at = int(said.get("token") or said.get("offset") or said.get("$skiptoken") or 0)
        if style == "page":
            at = (int(said["page"]) - 1) * PAGE
        rows, rest = rows[at : at + PAGE], len(rows) > at + PAGE
        answer = self._answer(style, rows, at + PAGE if rest else None)
        self.between()
        return JSONResponse(answer)

    def _since(self, said: dict[str, str]) -> list[Any]:
        earliest = said.get("since") or said.get("$filter", "").rpartition(" ge ")[2]
        return [row for row in self.rows if not earliest or row["weighed_at_utc"][:19] >= earliest[:19]]

    def _answer(self, style: str, rows: list[Any], following: int | None) -> Any:
        if style == "odata":
            link = {"@odata.nextLink": f"tickets?$skiptoken={following}"} if following else {}
            return {"@odata.context": "$metadata#tickets", "value": rows, **link}
        if style == "link":
            link = f"{self.url}/link/tickets?token={following}" if following else None
            return {"data": {"items": rows}, "links": {"next": link}}
        return {"items": rows, "next_token": following and str(following)}


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that nobody knows, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interface of a test")])
    began = datetime.now(UTC) - timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=3650))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *form))
    return folder / "ca.pem", folder / "key.pem"


@contextmanager
def rest_server(tls: tuple[Path, Path] | None = None) -> Iterator[RestServer]:
    """The server while the block runs; with certificate and key it speaks TLS."""
    state = RestServer()
    app = Starlette(routes=[Route("/{style}/tickets", state.page)])
    files: dict[str, Any] = {"ssl_certfile": tls[0], "ssl_keyfile": tls[1]} if tls else {}
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", **files))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.should_exit = True
        thread.join(10)
