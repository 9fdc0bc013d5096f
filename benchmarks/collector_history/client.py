"""Our history reader as a client process: `python -m benchmarks.collector_history.client '<json>'`.

Prints a JSON line: values, CPU seconds of reading, their sum; with `state` also of reading into fsynced
sealed segments.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.speed_source import value_of
from ingestion.collector.buffer import PointBuffer
from ingestion.collector.history import HistoryReader
from ingestion.collector.sealing import Sealer
from ingestion.collector.settings import HistorySettings
from protocols.clock import SystemClock
from protocols.opcua_time import TICKS_PER_SECOND, UNIX_EPOCH_TICKS

SYSTEM = "speed"
SEGMENT_ROWS = 200_000


async def main(options: dict[str, Any]) -> None:
    client = Client(options["url"], timeout=60, watchdog_intervall=3600)
    if options["secure"]:
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            options["certificate"],
            options["key"],
            server_certificate=options["server_certificate"],
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
        client.application_uri = "urn:chemlink:collector"
    async with client:
        reader = HistoryReader(client, HistorySettings(values_per_read=options["page"]))
        print(json.dumps(await read(reader, options)), flush=True)


async def read(reader: HistoryReader, options: dict[str, Any]) -> dict[str, Any]:
    names = options["history"]
    buffer = PointBuffer(names, {})
    sealer = None
    if options.get("state"):
        sealer = Sealer(Path(options["state"]), SYSTEM, Ed25519PrivateKey.generate(), SystemClock())
    start, end = (_ticks(options[name]) for name in ("begin_ms", "end_ms"))
    begun, values, total, wrong, checking = time.process_time(), 0, 0.0, 0, 0.0
    for tag, name in enumerate(names):
        async for page in reader.read(ua.NodeId(name, options["namespace"]), start, end):
            values += len(page)
            total += float(page.numbers.sum())
            if sealer is None:
                check_begun = time.process_time()
                number = (page.ticks - start) // (options["period_ms"] * TICKS_PER_SECOND // 1000)
                wrong += int((page.numbers != value_of(np.int64(tag), number)).sum())
                checking += time.process_time() - check_begun
                continue
            buffer.admit_page(tag, page, 0)
            if len(buffer) >= SEGMENT_ROWS:
                await _seal(buffer, sealer)
    if sealer is not None:
        await _seal(buffer, sealer)
        values = sealer.committed.rows[sealer.stream("points")]
    cpu_s = time.process_time() - begun - checking
    return {"values": values, "cpu_s": cpu_s, "sum": total, "wrong": wrong}


async def _seal(buffer: PointBuffer, sealer: Sealer) -> None:
    batch = buffer.drain()
    if batch is not None:
        await sealer.seal("points", batch.table, batch.marks, marks_are_in_rows=True)


def _ticks(milliseconds: int) -> int:
    return UNIX_EPOCH_TICKS + milliseconds * TICKS_PER_SECOND // 1000


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
