"""What each stage of the collector costs a value, one process, no network: says what limits the whole."""

from __future__ import annotations

import asyncio
import os
import struct
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import Cryptography, SecurityPolicyBasic256Sha256, SecurityPolicyNone
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector.buffer import PointBuffer
from ingestion.collector.intake import Intake
from ingestion.collector.notifications import read_publish_answer
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import write_segment

TAGS, MESSAGES = 5_000, 20
AT_US = 1_790_000_000_000_000
T0 = UNIX_EPOCH_TICKS + AT_US * 10
# Variant type and bytes of the layouts that alternate in the mixed message.
_KINDS = ((11, "<d", 1.5), (6, "<i", 7), (1, "<B", 1), (10, "<f", 2.5))


def stage_costs() -> dict[str, float]:
    """Microseconds of CPU a value, by stage."""
    per_message = {count: [message(step, count) for step in range(MESSAGES)] for count in (1000, TAGS)}
    costs = {}
    for secured in (False, True):
        name = "receiving_signed_and_encrypted" if secured else "receiving_plain"
        costs[name] = asyncio.run(_receive(per_message[1000], secured=secured)) / (MESSAGES * 1000)
    for count, messages in per_message.items():
        decode = _cpu(lambda messages=messages: [read_publish_answer(Buffer(data)) for data in messages])
        costs[f"decoding_{count}_a_message"] = decode / (MESSAGES * count)
    mixed = [message(step, TAGS, mixed=True) for step in range(MESSAGES)]
    costs["decoding_layouts_that_alternate"] = _cpu(
        lambda: [read_publish_answer(Buffer(data)) for data in mixed]
    ) / (MESSAGES * TAGS)
    costs |= _sealing(per_message[1000])
    return costs


def message(step: int, count: int, *, mixed: bool = False) -> bytes:
    """An answer to Publish with so many values of one instant."""
    items = b"".join(_item(step, tag, *_KINDS[tag % len(_KINDS) if mixed else 0]) for tag in range(count))
    body = struct.pack("<i", count) + items + struct.pack("<i", -1)
    return b"".join(
        (
            struct.pack("<BBHqIIBiBBB", 1, 0, 829, 0, 1, 0, 0, -1, 0, 0, 0),
            struct.pack("<IiB", 1, -1, 0),
            struct.pack("<Iqi", step + 1, T0, 1),
            struct.pack("<BBHBi", 1, 0, 811, 1, len(body)),
            body,
            struct.pack("<ii", -1, -1),
        )
    )


def _item(step: int, tag: int, kind: int, form: str, value: float) -> bytes:
    at = T0 + step * 1_000_000
    return struct.pack("<IBB", tag, 13, kind) + struct.pack(form, value) + struct.pack("<qq", at, at)


def _cpu(work: Callable[[], Any]) -> float:
    """Microseconds of CPU, the best of five."""
    found = []
    for _ in range(5):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found) * 1e6


async def _receive(messages: list[bytes], *, secured: bool) -> float:
    """asyncua's receiving end on chunks that its sending end made, as the socket would give them."""
    sender, protocol = (
        SecureConnection(_policy(secured), TransportLimits()),
        UASocketProtocol(1, _policy(secured)),
    )
    keys = os.urandom(32), os.urandom(32)
    if secured:
        sender.security_policy.make_local_symmetric_key(*keys)
        protocol._connection.security_policy.make_remote_symmetric_key(*keys, 3_600_000)
    for connection in (sender, protocol._connection):
        connection.security_token.TokenId = connection.security_token.ChannelId = 7
    best = float("inf")
    for turn in range(5):
        numbers = [turn * len(messages) + index + 1 for index in range(len(messages))]
        chunks = [
            sender.message_to_binary(data, request_id=number)
            for number, data in zip(numbers, messages, strict=True)
        ]
        for number in numbers:
            protocol._callbackmap[number] = asyncio.get_running_loop().create_future()
        begun = time.process_time()
        for chunk in chunks:
            protocol.data_received(chunk)
        best = min(best, time.process_time() - begun)
        assert not protocol._callbackmap, "every message arrived"
    return best * 1e6


def _policy(secured: bool) -> Any:
    if not secured:
        return SecurityPolicyNone()
    policy = SecurityPolicyBasic256Sha256.__new__(SecurityPolicyBasic256Sha256)
    policy.Mode = ua.MessageSecurityMode.SignAndEncrypt
    policy.symmetric_cryptography = Cryptography(policy.Mode)
    return policy


def _sealing(messages: list[bytes]) -> dict[str, float]:
    """Admission, draining and writing of segments of as many values as a second brings."""
    tag_ids = [f"F{tag // 100:02d}.TE{tag:04d}" for tag in range(TAGS)]
    pages = [read_publish_answer(Buffer(data)).message.points[0] for data in messages]
    values, admit, drain, write = 50 * 1000, [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(5):
            buffer = PointBuffer(tag_ids, {})
            intake = Intake(buffer, [False] * TAGS, lambda _: None)
            begun = time.process_time()
            for step in range(50):
                page = pages[step % 20]
                page.page.ticks[:] = T0 + (turn * 50 + step) * 1_000_000
                intake.take(type(page)((page.handles + step % 5 * 1000) % TAGS, page.page), AT_US + 10**8)
            admitted = time.process_time()
            batch = buffer.drain()
            assert batch is not None
            assert batch.table.num_rows == values
            drained = time.process_time()
            key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
            write_segment(
                Path(folder), "speed.points", turn + 1, batch.table, "points", {}, key, now,
                marks_are_in_rows=True,
            )  # fmt: skip
            written = time.process_time()
            admit.append(admitted - begun)
            drain.append(drained - admitted)
            write.append(written - drained)
    return {
        name: float(np.min(found)) * 1e6 / values
        for name, found in (("admission", admit), ("draining_and_sorting", drain), ("sealing", write))
    }
