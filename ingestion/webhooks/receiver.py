"""The process that receives events: verifies, makes durable, answers. It opens no table of the lake."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from ingestion.webhooks.signature import RefusedEventError, verified_id
from ingestion.webhooks.spool import Event, Spool

MAX_BODY_BYTES = 1024 * 1024
_LEAST_FREE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Sender:
    """A system that sends events: its key and the tables it may send to."""

    key: bytes
    tables: frozenset[str]


@dataclass(frozen=True)
class ReceiverSpec:
    """Everything the receiver must be told.

    Attributes:
        host: the address to listen on.
        port: the port.
        folder: of the spools, one a system.
        senders: by system.
        certificate: file of the TLS certificate; None behind a proxy that has one.
        certificate_key: file of its key.
    """

    host: str
    port: int
    folder: Path
    senders: Mapping[str, Sender]
    certificate: Path | None = None
    certificate_key: Path | None = None


def spool_of(folder: Path, system_id: str) -> Spool:
    """Where the events of a system wait."""
    return Spool(folder / system_id)


def receiver_app(spec: ReceiverSpec) -> Starlette:
    """The receiver: POST /events/<system>/<table>."""

    async def receive(request: Request) -> JSONResponse:
        try:
            return await _received(request, spec)
        except RefusedEventError as reason:
            return JSONResponse({"error": str(reason)}, status_code=reason.status)

    return Starlette(routes=[Route("/events/{system}/{table}", receive, methods=["POST"])])


def run_receiver(spec: ReceiverSpec) -> None:
    """Receive until told to stop (SIGTERM or SIGINT)."""
    config = uvicorn.Config(
        receiver_app(spec),
        host=spec.host,
        port=spec.port,
        ssl_certfile=spec.certificate,
        ssl_keyfile=spec.certificate_key,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=200,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run()


async def _received(request: Request, spec: ReceiverSpec) -> JSONResponse:
    sender = spec.senders.get(request.path_params["system"])
    table = request.path_params["table"]
    if sender is None or table not in sender.tables:
        raise RefusedEventError(404, "no such system or table here; the path is /events/<system>/<table>")
    body = await _body(request)
    event_id, sent_s = verified_id(request.headers, body, sender.key, now_s=time.time())
    event = Event(event_id, table, sent_s, body.decode("utf-8", errors="surrogateescape"))
    spool = spool_of(spec.folder, request.path_params["system"])
    is_new = await run_in_threadpool(_keep, spool, event)
    return JSONResponse({"id": event_id, "is_new": is_new}, status_code=202 if is_new else 200)


def _keep(spool: Spool, event: Event) -> bool:
    spool.folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(spool.folder).free < _LEAST_FREE_BYTES:
        raise RefusedEventError(503, "the disk is nearly full; send again later")
    try:
        return spool.keep(event)
    except OSError as error:
        raise RefusedEventError(503, "the event could not be kept; send again later") from error


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MAX_BODY_BYTES:
            raise RefusedEventError(413, f"expected at most {MAX_BODY_BYTES} bytes")
    return bytes(body)
