"""A small OPC UA server whose every value is a function of tag and number, and whose history can misbehave.

Ways of misbehaving, by tag: `repeats` gives the same continuation point and page for ever, `short` gives
pages of a few values, `stalls` gives empty pages that promise more, `fails_twice` answers a bad
status before it works, `refuses` keeps no history, `faults` makes the whole service fail.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.history import HistoryManager

from protocols import opcua_time
from protocols.opcua_time import TICKS_PER_SECOND, from_ticks, to_ticks
from reference_plant.pki import make_pki

NAMESPACE = "urn:chemlink:test"
SYSTEM = "opcua_test"
SERVER_URI = f"{NAMESPACE}:server"
STATUSES = (0, ua.StatusCodes.BadSensorFailure, ua.StatusCodes.UncertainLastUsableValue, 0x0000_0600)


@dataclass(frozen=True)
class Source:
    """What the server produces: sample `n` of a tag is at `first_ticks + n * step_ticks`, digit 3 and up."""

    tags: tuple[str, ...]
    first_ticks: int
    step_ticks: int
    count: int

    def sample(self, tag: str, number: int) -> tuple[int, Any, int]:
        """Source ticks, value and status."""
        ticks = self.first_ticks + number * self.step_ticks + self.tags.index(tag)
        value: Any = f"batch {number}" if tag.endswith("TEXT") else number + self.tags.index(tag) / 8
        status = STATUSES[3 if number % 7 == 3 else number % 29 == 5]
        # asyncua's server sends no value with a bad status, whatever was written.
        return ticks, None if status & 0x8000_0000 else value, status

    def data_value(self, tag: str, number: int) -> ua.DataValue:
        """The sample as the server writes it."""
        ticks, value, status = self.sample(tag, number)
        at = from_ticks(ticks)
        return ua.DataValue(ua.Variant(value), ua.StatusCode(status), at, at)

    def produced(self, now_ticks: int) -> int:
        """How many samples of each tag there are by now."""
        return max(0, min(self.count, (now_ticks - self.first_ticks) // self.step_ticks))

    def everything(self) -> set[tuple[str, int, Any, int]]:
        """All samples: tag, source ticks, value, status."""
        return {(tag, *self.sample(tag, number)) for tag in self.tags for number in range(self.count)}


def now_ticks() -> int:
    """The machine's time in ticks."""
    from datetime import UTC, datetime

    return to_ticks(datetime.now(UTC))


def source_around_now(
    tags: tuple[str, ...], *, history_s: float, live_s: float, step_s: float = 0.05
) -> Source:
    """A source with a past and a future."""
    step = int(step_s * TICKS_PER_SECOND)
    first = (now_ticks() - int(history_s * TICKS_PER_SECOND)) // 10 * 10 + 3
    return Source(tags, first, step, int((history_s + live_s) / step_s))


@dataclass
class FakeHistory(HistoryManager):
    """History of a source, with the behaviour of each tag."""

    source: Source
    behaviours: dict[str, str] = field(default_factory=dict)
    page: int = 400
    requests: Counter[str] = field(default_factory=Counter)
    server: Server | None = None
    index: int = 0

    async def add_unit(self, tag: str, unit: str) -> Any:
        """Give a tag EngineeringUnits; the property's node."""
        assert self.server is not None
        information = ua.EUInformation(DisplayName=ua.LocalizedText(unit))
        node = self.server.get_node(ua.NodeId(tag, self.index))
        return await node.add_property(
            ua.NodeId(f"{tag}.unit", self.index), "0:EngineeringUnits", information
        )

    async def stop(self) -> None:
        """Nothing is held."""

    async def read_history(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """One result a node."""
        if params.ReleaseContinuationPoints:
            return [ua.HistoryReadResult() for _ in params.NodesToRead]
        return [self._read(params.HistoryReadDetails, node) for node in params.NodesToRead]

    def _read(self, details: Any, node: ua.HistoryReadValueId) -> ua.HistoryReadResult:
        tag = str(node.NodeId.Identifier)
        behaviour = self.behaviours.get(tag, "")
        self.requests[tag] += 1
        if behaviour == "faults":
            raise ua.UaStatusCodeError(ua.StatusCodes.BadInternalError)
        refused = tag not in self.source.tags or not isinstance(details, ua.ReadRawModifiedDetails)
        if refused or behaviour == "refuses":
            return _status(ua.StatusCodes.BadHistoryOperationUnsupported)
        if behaviour == "fails_twice" and self.requests[tag] <= 2:
            return _status(ua.StatusCodes.BadTooManyOperations)
        return self._page(tag, behaviour, details, node.ContinuationPoint)

    def _page(self, tag: str, behaviour: str, details: Any, point: bytes | None) -> ua.HistoryReadResult:
        start, end = to_ticks(details.StartTime), to_ticks(details.EndTime)
        first = struct.unpack("<q", point)[0] if point else self._number_at(tag, start)
        if behaviour == "repeats" and point:
            first = self._number_at(tag, start)
        limit = {"short": 3, "stalls": 0}.get(behaviour, min(self.page, details.NumValuesPerNode))
        last = min(self.source.produced(now_ticks()), self._number_at(tag, end), first + limit)
        result = ua.HistoryReadResult()
        values = [self.source.data_value(tag, number) for number in range(first, last)]
        result.HistoryData = ua.HistoryData(values)
        if behaviour in ("repeats", "stalls") or (limit and len(values) == limit):
            result.ContinuationPoint = struct.pack("<q", first if behaviour == "repeats" else last)
        return result

    def _number_at(self, tag: str, ticks: int) -> int:
        offset = self.source.first_ticks + self.source.tags.index(tag)
        return max(0, -((offset - ticks) // self.source.step_ticks))


def _status(code: int) -> ua.HistoryReadResult:
    result = ua.HistoryReadResult()
    result.StatusCode = ua.StatusCode(code)
    return result


class _OneUser:
    """Lets `operator` in with one password, or the owner of one certificate, and nobody else."""

    def __init__(self, password: str | None, certificate: bytes | None) -> None:
        self._password, self._certificate = password, certificate

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        is_named = self._password is not None and (username, password) == ("operator", self._password)
        is_certified = username is None and self._certificate is not None and certificate == self._certificate
        return User(role=UserRole.User) if is_named or is_certified else None


@asynccontextmanager
async def serve(
    site: Path,
    port: int,
    source: Source,
    *,
    behaviours: dict[str, str] | None = None,
    starts_live_at: int | None = None,
    policy: ua.SecurityPolicyType = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    password: str | None = None,
    user_certificate: bytes | None = None,
) -> AsyncIterator[FakeHistory]:
    """A running server; leaving ends it as a crash would, with sessions and subscriptions gone.

    With a password or a certificate (DER) nobody else is let in.
    """
    opcua_time.install()
    is_open = password is None and user_certificate is None
    server = Server(user_manager=None if is_open else _OneUser(password, user_certificate))
    await server.init()
    await server.set_application_uri(SERVER_URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/test")
    server.set_security_policy([policy])
    if not is_open:
        kinds = {ua.UserNameIdentityToken: password, ua.X509IdentityToken: user_certificate}
        server.set_identity_tokens([kind for kind, known in kinds.items() if known is not None])
    own = site / "pki" / "servers" / SYSTEM
    await server.load_certificate(str(own / "cert.der"))
    await server.load_private_key(str(own / "key.pem"))
    # Another namespace first, so that an index learned from one server is wrong on the next.
    await server.register_namespace("urn:somebody:else")
    index = await server.register_namespace(NAMESPACE)
    for tag in source.tags:
        initial = "" if tag.endswith("TEXT") else 0.0
        await server.nodes.objects.add_variable(ua.NodeId(tag, index), f"{index}:{tag}", initial)
    history = FakeHistory(source, behaviours or {}, server=server, index=index)
    server.iserver.history_manager = history
    start = source.produced(now_ticks()) if starts_live_at is None else starts_live_at
    await _write(server, index, source, max(0, start - 1))
    async with server:
        live = asyncio.create_task(_live(server, index, source, start))
        try:
            yield history
        finally:
            live.cancel()
            _crash(server)


def _crash(server: Server) -> None:
    """Nothing listens any more and every connection is cut, in one step of the loop.

    asyncua's own stop cuts the connections before it stops listening, and waits for ever for one that a
    client opened between the two.
    """
    assert server.bserver is not None
    assert server.bserver._server is not None
    server.bserver._server.close()
    for transport in server.iserver.asyncio_transports:
        transport.abort()


async def _live(server: Server, index: int, source: Source, number: int) -> None:
    while number < source.count:
        while number < source.produced(now_ticks()):
            await _write(server, index, source, number)
            number += 1
        await asyncio.sleep(0.01)


async def _write(server: Server, index: int, source: Source, number: int) -> None:
    for tag in source.tags:
        await server.write_attribute_value(ua.NodeId(tag, index), source.data_value(tag, number))


def make_site(site: Path, port: int, source: Source, **changes: Any) -> Path:
    """A site with keys, a tag table and `collector.yml`; the path of the latter."""
    make_pki(site / "pki", {SYSTEM: SERVER_URI})
    header = (
        "tag_id,node_id,label_zh,label_en,unit,range_low,range_high,data_type,"
        "sampling_ms,queue_size,area,equipment_id,has_history\n"
    )
    without_history = changes.pop("without_history", ())
    extra = changes.pop("extra_tags", ())
    rows = [
        f"{tag},nsu={NAMESPACE};s={tag},{tag},{tag},,,,double,50,1000,area,,{keeps}\n"
        for tag in (*source.tags, *extra)
        for keeps in ("false" if tag in without_history else "true",)
    ]
    (site / "tags.csv").write_text(header + "".join(rows), encoding="utf-8")
    server = {
        "system_id": SYSTEM,
        "url": f"opc.tcp://127.0.0.1:{port}/test",
        "tags": "tags.csv",
        "collect_alarms": False,
        "history_start_utc": from_ticks(source.first_ticks - 10).isoformat(),
    }
    content = {
        "schema_version": 1,
        "collector_id": "collector_test",
        "servers": [server],
        "seal_every_s": 0.1,
        "publish_every_ms": 50,
        "retry_every_s": 0.5,
        "reconnect_within_s": 0.5,
        **changes,
    }
    path = site / "collector.yml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
