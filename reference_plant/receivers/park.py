"""The park's platform: JSON reports over HTTPS.

POST /api/v1/reports takes a report, GET /api/v1/reports?report_id=&from=&to= gives back what was accepted.
Both are signed in X-Signature: POST over the body, GET over the path with its query, as sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reference_plant.receivers.control import serve_control
from reference_plant.receivers.park_judge import Answer, ParkPlatform, refusal
from reference_plant.receivers.plant import PlantView

HOST = "127.0.0.1"
REPORTS_PATH = "/api/v1/reports"
MAX_BODY_BYTES = 1_000_000
HANDSHAKE_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.2


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests whole, asks the platform, answers or, under a fault, hangs up."""

    protocol_version = "HTTP/1.1"
    server: ParkServer

    def setup(self) -> None:
        """Greet the client."""
        self.request.settimeout(HANDSHAKE_TIMEOUT_S)
        self.request.do_handshake()  # in this connection's thread, so that a slow client holds up no other
        super().setup()

    def do_POST(self) -> None:
        """Take a report."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(refusal("Content-Length", f"expected 0 to {MAX_BODY_BYTES} bytes, found {length!r}"))
            return
        body = self.rfile.read(int(length))
        if self.path != REPORTS_PATH:
            self._answer((HTTPStatus.NOT_FOUND, {"error": f"expected {REPORTS_PATH}"}))
            return
        key = self.headers.get("Idempotency-Key", "")
        self._if_open(lambda: self.server.platform.post(key, self.headers.get("X-Signature", ""), body))

    def do_GET(self) -> None:
        """Give reports back."""
        if urlsplit(self.path).path != REPORTS_PATH:
            self._answer((HTTPStatus.NOT_FOUND, {"error": f"expected {REPORTS_PATH}"}))
            return
        self._if_open(lambda: self.server.platform.get(self.path, self.headers.get("X-Signature", "")))

    def _if_open(self, decide: Callable[[], Answer]) -> None:
        platform = self.server.platform
        if not platform.is_open():
            self.close_connection = True
            return
        answer = decide()
        if platform.faults.delay_s:
            time.sleep(platform.faults.delay_s)
        if platform.faults.drops_answer():
            self.close_connection = True
            return
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        status, content = answer
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  named so in the base class
        """Nothing: what happened is in the store."""


class ParkServer(ThreadingHTTPServer):
    """The platform behind TLS on one port."""

    daemon_threads = True

    def __init__(self, platform: ParkPlatform, port: int, tls: ssl.SSLContext) -> None:
        self.platform = platform
        super().__init__((HOST, port), _Handler)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off or does not trust us is its own affair; anything else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def main(site_dir: Path) -> None:
    """Run the park of a site until SIGTERM or SIGINT arrives or the parent process is gone."""
    asyncio.run(_serve(PlantView.of_site(site_dir, "park")))


async def _serve(plant: PlantView) -> None:
    platform = ParkPlatform(plant, hmac_key=plant.secret("park_hmac_key"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    control = await serve_control(plant.control_path, platform.command)
    try:
        await _follow_outages(platform, plant, stop)
    finally:
        control.close()
        platform.store.close()


async def _follow_outages(platform: ParkPlatform, plant: PlantView, stop: asyncio.Event) -> None:
    """Listen while in order; close the port while not."""
    server: ParkServer | None = None
    parent = os.getppid()
    while not stop.is_set() and os.getppid() == parent:
        if platform.is_open() and server is None:
            server = open_park(platform, plant)
        elif not platform.is_open() and server is not None:
            await asyncio.to_thread(close_park, server)
            server = None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
    if server is not None:
        await asyncio.to_thread(close_park, server)


def open_park(platform: ParkPlatform, plant: PlantView) -> ParkServer:
    """Listen with the park's certificate, in threads of its own."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    identity = plant.site_dir / "pki" / "servers" / "park"
    tls.load_cert_chain(identity / "cert.pem", identity / "key.pem")
    server = ParkServer(platform, plant.port, tls)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return server


def close_park(server: ParkServer) -> None:
    """Stop listening; connections still open are closed at their next request."""
    server.shutdown()
    server.server_close()
