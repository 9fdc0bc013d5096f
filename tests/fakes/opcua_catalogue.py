"""A small OPC UA server to look around in: units, ranges, states, a loop, closed nodes, both languages."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

from protocols import opcua_time
from tests.fakes.opcua_history import NAMESPACE, SERVER_URI, SYSTEM

PAGE = 7  # references a page, so that every larger folder needs BrowseNext
MANY = 60


@asynccontextmanager
async def serve(site: Path, port: int) -> AsyncIterator[Server]:
    """A running server with the tree that `build` makes; it pages and takes few nodes a call."""
    opcua_time.install()
    server = Server()
    await server.init()
    await server.set_application_uri(SERVER_URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/test")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    own = site / "pki" / "servers" / SYSTEM
    await server.load_certificate(str(own / "cert.der"))
    await server.load_private_key(str(own / "key.pem"))
    await server.register_namespace("urn:somebody:else")
    index = await server.register_namespace(NAMESPACE)
    await build(server, index)
    with _paging(server):
        async with server:
            yield server


async def build(server: Server, index: int) -> None:
    """Two areas that lead to each other, a tank with values of several types, many plain tags."""
    tanks = await server.nodes.objects.add_folder(ua.NodeId("tanks", index), f"{index}:TankFarm")
    tank = await tanks.add_object(ua.NodeId("T101", index), f"{index}:T101")
    level = await tank.add_variable(ua.NodeId("T101.LEVEL", index), f"{index}:Level", 1.0)
    await _describe(server, level, "液氨储罐液位", "ammonia tank level", sampling_ms=250.0, has_history=True)
    unit = ua.EUInformation(DisplayName=ua.LocalizedText("%"))
    await level.add_property(ua.NodeId("T101.LEVEL.eu", index), "0:EngineeringUnits", unit)
    await level.add_property(ua.NodeId("T101.LEVEL.r", index), "0:EURange", ua.Range(0.0, 100.0))
    mode = await tank.add_variable(ua.NodeId(7001, index), f"{index}:Mode", 0, ua.VariantType.Int32)
    names = [ua.LocalizedText("off"), ua.LocalizedText("on")]
    await mode.add_property(ua.NodeId(7002, index), "0:EnumStrings", names)
    await tank.add_variable(ua.NodeId(7003, index), f"{index}:Weights", [1.0, 2.0])
    await tank.add_variable(ua.NodeId(7004, index), f"{index}:Batch", "B1")
    other = await tanks.add_object(ua.NodeId("T102", index), f"{index}:T102")
    await other.add_variable(ua.NodeId(7011, index), f"{index}:Mode", 0, ua.VariantType.Int32)
    closed = await other.add_variable(ua.NodeId(7012, index), f"{index}:Secret", 0.0)
    for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
        await server.write_attribute_value(
            closed.nodeid, _value(ua.Variant(0, ua.VariantType.Byte)), attribute
        )
    shop = await server.nodes.objects.add_folder(ua.NodeId("shop", index), f"{index}:Workshop")
    for number in range(MANY):
        await shop.add_variable(ua.NodeId(f"W{number:03}", index), f"{index}:W{number:03}", float(number))
    await other.add_reference(shop, ua.ObjectIds.Organizes, bidirectional=False)
    await shop.add_reference(tanks, ua.ObjectIds.Organizes, bidirectional=False)


async def _describe(
    server: Server, node: Any, zh: str, en: str, *, sampling_ms: float, has_history: bool
) -> None:
    access = ua.AccessLevel.CurrentRead.mask | (ua.AccessLevel.HistoryRead.mask if has_history else 0)
    written = {
        ua.AttributeIds.DisplayName: ua.Variant(ua.LocalizedText(zh, "zh-CN")),
        ua.AttributeIds.Description: ua.Variant(ua.LocalizedText(en, "en")),
        ua.AttributeIds.MinimumSamplingInterval: ua.Variant(sampling_ms),
        ua.AttributeIds.Historizing: ua.Variant(has_history),
        ua.AttributeIds.AccessLevel: ua.Variant(access, ua.VariantType.Byte),
        ua.AttributeIds.UserAccessLevel: ua.Variant(access, ua.VariantType.Byte),
    }
    for attribute, variant in written.items():
        await server.write_attribute_value(node.nodeid, _value(variant), attribute)


def _value(variant: ua.Variant) -> ua.DataValue:
    return ua.DataValue(variant)


@contextmanager
def _paging(server: Server) -> Iterator[None]:
    """Make browsing page, which asyncua's server does not, and refuse large calls as small controllers do."""
    views = server.iserver.view_service
    whole, processed = views.browse, UaProcessor._process_message
    waiting: dict[bytes, list[ua.ReferenceDescription]] = {}

    def cut(result: ua.BrowseResult) -> ua.BrowseResult:
        rest = list(result.References or ())
        result.References, rest = rest[:PAGE], rest[PAGE:]
        if rest:
            result.ContinuationPoint = secrets.token_bytes(8)
            waiting[result.ContinuationPoint] = rest
        return result

    def browse(parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        if len(parameters.NodesToBrowse) > PAGE:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        return [cut(result) for result in whole(parameters)]

    async def process(self: UaProcessor, typeid: Any, header: Any, sequence: Any, body: Any) -> Any:
        if typeid != ua.NodeId(ua.ObjectIds.BrowseNextRequest_Encoding_DefaultBinary):
            return await processed(self, typeid, header, sequence, body)
        response = ua.BrowseNextResponse()
        for point in struct_from_binary(ua.BrowseNextParameters, body).ContinuationPoints:
            result = ua.BrowseResult()
            result.References = waiting.pop(point)
            response.Parameters.Results.append(cut(result))
        self.send_response(header.RequestHandle, sequence, response)
        return True

    views.browse, UaProcessor._process_message = browse, process
    try:
        yield
    finally:
        UaProcessor._process_message = processed
