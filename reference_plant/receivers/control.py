"""A receiver's control port: one JSON object a line in, one out. For tests and demonstrations only.

The port is picked by the system, bound to the loopback address, and written to a file readable by the owner:
a unix socket would be simpler, but site folders can lie deeper than its path may be long.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Command = dict[str, Any]
Handler = Callable[[Command], Awaitable[Command]]
HOST = "127.0.0.1"


async def serve_control(path: Path, handle: Handler) -> asyncio.Server:
    """Answer commands until the returned server is closed; `path` tells where."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for line in reader:
            try:
                answer = await handle(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(converse, HOST, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(json.dumps({"port": server.sockets[0].getsockname()[1]}), encoding="utf-8")
    new.replace(path)
    return server


def ask(path: Path, command: Command, *, timeout_s: float = 30.0) -> Command:
    """Send one command to the receiver whose control file this is, and wait for its answer.

    Raises:
        RuntimeError: the receiver could not do it; the message is its own.
    """
    port = json.loads(path.read_text(encoding="utf-8"))["port"]
    with (
        socket.create_connection((HOST, port), timeout=timeout_s) as connection,
        connection.makefile("rw") as lines,
    ):
        lines.write(json.dumps(command) + "\n")
        lines.flush()
        answer: Command = json.loads(lines.readline())
    if "error" in answer:
        msg = f"asking {path.name} for {command}: {answer['error']}"
        raise RuntimeError(msg)
    return answer
