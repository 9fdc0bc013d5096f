"""An OPC UA server whose every answer a test decides: order, numbers, loss, refusals, and bytes.

asyncua carries its frames and encodings; nothing else of a server is there. Values are a function of tag and
number, so that every sample can be verified: sample `n` of tag `t` is taken at `START + n` seconds and is
`n + t / 8`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import (
    header_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    struct_to_binary,
    uatcp_to_binary,
)

from protocols.opcua_time import TICKS_PER_SECOND, from_ticks

NAMESPACE = "urn:chemlink:scripted"
Fault = ua.StatusCodes
_LIMITS = ua.ObjectIds
_OPERATION_LIMITS = {
    _LIMITS.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead: "reads",
    _LIMITS.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall: "items",
    _LIMITS.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData: "history",
    _LIMITS.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIds: "paths",
}


class FaultError(Exception):
    """The service answers with a status instead of a response."""

    def __init__(self, code: int) -> None:
        super().__init__(hex(code))
        self.code = code


@dataclass
class Subscription:
    """What the client made: its items by client handle, and messages that can be sent again."""

    number: int
    handles: dict[int, str] = field(default_factory=dict)
    sent: dict[int, bytes] = field(default_factory=dict)
    acknowledged: list[int] = field(default_factory=list)
    next_number: int = 1


@dataclass
class Script:
    """The server's state, and what it does out of the ordinary.

    Attributes:
        start_ticks: instant of sample 0.
        limits: operation limits by service: reads, items, history, paths.
        items_per_subscription: beyond it items are refused.
        max_subscriptions: beyond it subscriptions are refused.
        started: when the server says that it started; none when it does not say.
        produced: by tag, the samples that history holds.
        republish: whether Republish works.
        transfer: whether TransferSubscriptions works; None is unsupported.
        resume: whether a session can be activated on another channel.
        deny: status of an item's creation by tag, once for each listed status.
        bad_history: by tag, statuses that its next history reads answer.
        history_fault: called with the nodes of a HistoryRead; may raise `FaultError`.
        level: the ServiceLevel.
        calls: counts services, and nodes by service.
    """

    start_ticks: int
    namespaces: list[str] = field(default_factory=lambda: ["http://opcfoundation.org/UA/", NAMESPACE])
    limits: dict[str, int] = field(default_factory=dict)
    items_per_subscription: int = 10**9
    max_subscriptions: int = 10**9
    started: datetime | None = field(default_factory=lambda: datetime.now(UTC))
    produced: dict[str, set[int]] = field(default_factory=dict)
    no_history: set[str] = field(default_factory=set)
    republish: bool = True
    transfer: bool | None = True
    resume: bool = True
    deny: dict[str, deque[int]] = field(default_factory=dict)
    bad_history: dict[str, deque[int]] = field(default_factory=dict)
    history_fault: Callable[[int], None] = lambda _count: None
    history_page: int = 1000
    max_continuations: int = 10**9
    level: int = 255
    server_shift_ticks: int = 0
    publish_limit: int = 100
    calls: Counter[str] = field(default_factory=Counter)
    largest: Counter[str] = field(default_factory=Counter)
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    requests: deque[tuple[_Connection, int, int]] = field(default_factory=deque)
    connections: list[_Connection] = field(default_factory=list)
    items_asked: list[ua.MonitoredItemCreateRequest] = field(default_factory=list)
    refuse_publish: deque[int] = field(default_factory=deque)
    next_subscription: int = 1

    def sample(self, tag: str, number: int) -> tuple[int, float]:
        """Source ticks and value."""
        index = int(tag.rpartition("_")[2]) if "_" in tag else 0
        return self.start_ticks + number * TICKS_PER_SECOND + index, number + index / 8

    def data_value(self, tag: str, number: int, status: int = 0) -> ua.DataValue:
        """A sample as it is sent."""
        ticks, value = self.sample(tag, number)
        at = from_ticks(ticks)
        return ua.DataValue(ua.Variant(value, ua.VariantType.Double), ua.StatusCode(status), at, at)

    def everything(self, tags: Iterable[str]) -> set[tuple[str, int, float]]:
        """All samples produced of some tags: tag, source ticks, value."""
        return {(tag, *self.sample(tag, number)) for tag in tags for number in self.produced.get(tag, ())}

    @property
    def subscription(self) -> Subscription:
        """The first living subscription."""
        return next(iter(self.subscriptions.values()))

    async def ready(self, subscriptions: int = 1, requests: int = 1) -> None:
        """Wait for subscriptions with items and for Publish requests."""
        async with asyncio.timeout(20):
            while (
                len([sub for sub in self.subscriptions.values() if sub.handles]) < subscriptions
                or len(self.requests) < requests
            ):
                await asyncio.sleep(0.01)

    def produce(self, tag: str, number: int) -> None:
        """A sample comes into being: history has it, if the tag has one."""
        self.produced.setdefault(tag, set()).add(number)

    def message(
        self, samples: dict[str, Iterable[int]], number: int, subscription: Subscription | None = None,
        status: int = 0,
    ) -> ua.NotificationMessage:  # fmt: skip
        """A message of samples by tag; they are produced by it."""
        subscription = subscription or self.subscription
        handle_of = {tag: handle for handle, tag in subscription.handles.items()}
        items = []
        for tag, numbers in samples.items():
            for sample in numbers:
                self.produce(tag, sample)
                value = self.data_value(tag, sample, status)
                items.append(ua.MonitoredItemNotification(ClientHandle=handle_of[tag], Value=value))
        data: list[Any] = [ua.DataChangeNotification(MonitoredItems=items)] if items else []
        at = from_ticks(self.now_ticks())
        return ua.NotificationMessage(SequenceNumber=number, PublishTime=at, NotificationData=data)

    def now_ticks(self) -> int:
        """The server's clock."""
        from protocols.opcua_time import to_ticks

        return to_ticks(datetime.now(UTC)) + self.server_shift_ticks

    def keep(self, message: ua.NotificationMessage, subscription: Subscription | None = None) -> None:
        """Put a message where Republish finds it."""
        subscription = subscription or self.subscription
        subscription.sent[message.SequenceNumber] = struct_to_binary(message)

    async def publish(
        self,
        message: ua.NotificationMessage,
        subscription: Subscription | None = None,
        *,
        available: list[int] | None = None,
        patch: Callable[[bytes], bytes] = bytes,
    ) -> None:
        """Answer the oldest Publish request.

        Args:
            message: what is sent; a keep-alive when it holds nothing.
            subscription: whose; the first.
            available: the numbers the server says it can send again; those kept.
            patch: changes the answer's bytes.
        """
        subscription = subscription or self.subscription
        await self.ready()
        connection, request_id, handle = self.requests.popleft()
        response = ua.PublishResponse()
        response.ResponseHeader.RequestHandle = handle
        response.Parameters.SubscriptionId = subscription.number
        known = sorted(subscription.sent) if available is None else available
        response.Parameters.AvailableSequenceNumbers = known
        response.Parameters.NotificationMessage = message
        connection.send(request_id, patch(struct_to_binary(response)))

    def drop_connections(self) -> None:
        """Cut every connection, as a network does."""
        self.requests.clear()
        for connection in list(self.connections):
            connection.abort()

    def forget_sessions(self) -> None:
        """Forget all sessions; subscriptions stay for another to take over."""
        self.sessions.clear()


class _Connection(asyncio.Protocol):
    def __init__(self, script: Script, url: str) -> None:
        self._script, self._url = script, url
        self._channel = SecureConnection(SecurityPolicyNone(), TransportLimits())
        self._buffer = b""
        self._transport: Any = None
        self._channel_id = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._script.connections.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._script.connections.remove(self)
        waiting = [entry for entry in self._script.requests if entry[0] is not self]
        self._script.requests.clear()
        self._script.requests.extend(waiting)

    def abort(self) -> None:
        self._transport.abort()

    def get_new_channel_id(self) -> int:
        self._channel_id += 1
        return self._channel_id

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            buffer = Buffer(self._buffer)
            try:
                header = header_from_binary(buffer)
            except NotEnoughData:
                return
            if len(buffer) < header.body_size:
                return
            message = self._channel.receive_from_header_and_body(header, buffer)
            self._buffer = self._buffer[header.header_size + header.body_size :]
            self._take(header, message)

    def send(self, request_id: int, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                self._channel.message_to_binary(body, ua.MessageType.SecureMessage, request_id)
            )

    def _take(self, header: Any, message: Any) -> None:
        if isinstance(message, ua.Hello):
            acknowledge = TransportLimits().create_acknowledge_and_set_limits(message)
            self._transport.write(uatcp_to_binary(ua.MessageType.Acknowledge, acknowledge))
        elif isinstance(message, ua.Message):
            body, request_id = message.body(), message.request_id()
            if header.MessageType == ua.MessageType.SecureOpen:
                request = struct_from_binary(ua.OpenSecureChannelRequest, body)
                opened = ua.OpenSecureChannelResponse()
                opened.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
                opened.Parameters = self._channel.open(request.Parameters, self)
                self._transport.write(
                    self._channel.message_to_binary(
                        struct_to_binary(opened), ua.MessageType.SecureOpen, request_id
                    )
                )
            elif header.MessageType == ua.MessageType.SecureClose:
                self._transport.close()
            else:
                self._serve(request_id, body)

    def _serve(self, request_id: int, body: Any) -> None:
        kind = nodeid_from_binary(body)
        header = struct_from_binary(ua.RequestHeader, body)
        name = ua.ObjectIdNames[kind.Identifier].removesuffix("Request_Encoding_DefaultBinary")
        self._script.calls[name] += 1
        try:
            response = getattr(self, f"_{name}")(request_id, header, body)
        except FaultError as fault:
            response = ua.ServiceFault()
            response.ResponseHeader.ServiceResult = ua.StatusCode(fault.code)
        except AttributeError:
            response = ua.ServiceFault()
            response.ResponseHeader.ServiceResult = ua.StatusCode(Fault.BadServiceUnsupported)
        if response is not None:
            response.ResponseHeader.RequestHandle = header.RequestHandle
            self.send(request_id, struct_to_binary(response))

    def _endpoint(self) -> ua.EndpointDescription:
        endpoint = ua.EndpointDescription()
        endpoint.EndpointUrl = self._url
        endpoint.SecurityMode = ua.MessageSecurityMode.None_
        endpoint.SecurityPolicyUri = SecurityPolicyNone.URI
        endpoint.TransportProfileUri = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
        endpoint.UserIdentityTokens = [
            ua.UserTokenPolicy(PolicyId="anonymous", TokenType=ua.UserTokenType.Anonymous)
        ]
        return endpoint

    def _GetEndpoints(self, _id: int, _header: Any, _body: Any) -> Any:
        return ua.GetEndpointsResponse(Endpoints=[self._endpoint()])

    def _CreateSession(self, _id: int, _header: Any, body: Any) -> Any:
        number = self._script.calls["CreateSession"]
        response = ua.CreateSessionResponse()
        response.Parameters.SessionId = ua.NodeId(number)
        response.Parameters.AuthenticationToken = ua.NodeId(1000 + number)
        response.Parameters.RevisedSessionTimeout = 60_000
        response.Parameters.ServerNonce = b"0" * 32
        response.Parameters.ServerEndpoints = [self._endpoint()]
        self._script.sessions.add(response.Parameters.AuthenticationToken.to_string())
        return response

    def _ActivateSession(self, _id: int, header: Any, _body: Any) -> Any:
        token = header.AuthenticationToken.to_string()
        is_again = self._script.calls[f"activate {token}"] > 0
        self._script.calls[f"activate {token}"] += 1
        if token not in self._script.sessions or (is_again and not self._script.resume):
            raise FaultError(Fault.BadSessionIdInvalid)
        self._script.calls["resumed"] += is_again
        response = ua.ActivateSessionResponse()
        response.Parameters.ServerNonce = b"1" * 32
        return response

    def _CloseSession(self, _id: int, header: Any, _body: Any) -> Any:
        self._script.sessions.discard(header.AuthenticationToken.to_string())
        self._script.subscriptions.clear()
        return ua.CloseSessionResponse()

    def _Read(self, _id: int, _header: Any, body: Any) -> Any:
        parameters = struct_from_binary(ua.ReadParameters, body)
        self._limit("reads", len(parameters.NodesToRead))
        return ua.ReadResponse(Results=[self._value(node.NodeId) for node in parameters.NodesToRead])

    def _value(self, node: ua.NodeId) -> ua.DataValue:
        if node == ua.NodeId(ua.ObjectIds.Server_NamespaceArray):
            return ua.DataValue(ua.Variant(list(self._script.namespaces), ua.VariantType.String))
        if node == ua.NodeId(ua.ObjectIds.Server_ServiceLevel):
            return ua.DataValue(ua.Variant(self._script.level, ua.VariantType.Byte))
        if node == ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime) and self._script.started:
            return ua.DataValue(ua.Variant(self._script.started, ua.VariantType.DateTime))
        limit = self._script.limits.get(_OPERATION_LIMITS.get(node.Identifier, ""))
        if limit is not None:
            return ua.DataValue(ua.Variant(limit, ua.VariantType.UInt32))
        return ua.DataValue(None, ua.StatusCode(Fault.BadNodeIdUnknown))

    def _limit(self, service: str, count: int) -> None:
        self._script.largest[service] = max(self._script.largest[service], count)
        if count > self._script.limits.get(service, 10**9):
            raise FaultError(Fault.BadTooManyOperations)

    def _TranslateBrowsePathsToNodeIds(self, _id: int, _header: Any, body: Any) -> Any:
        request = struct_from_binary(ua.TranslateBrowsePathsToNodeIdsParameters, body)
        self._limit("paths", len(request.BrowsePaths))
        nothing = ua.BrowsePathResult(StatusCode=ua.StatusCode(Fault.BadNoMatch))
        return ua.TranslateBrowsePathsToNodeIdsResponse(Results=[nothing for _ in request.BrowsePaths])

    def _CreateSubscription(self, _id: int, _header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.CreateSubscriptionParameters, body)
        if len(self._script.subscriptions) >= self._script.max_subscriptions:
            raise FaultError(Fault.BadTooManySubscriptions)
        number = self._script.next_subscription
        self._script.next_subscription += 1
        self._script.subscriptions[number] = Subscription(number)
        response = ua.CreateSubscriptionResponse()
        response.Parameters.SubscriptionId = number
        response.Parameters.RevisedPublishingInterval = asked.RequestedPublishingInterval
        response.Parameters.RevisedLifetimeCount = asked.RequestedLifetimeCount
        response.Parameters.RevisedMaxKeepAliveCount = asked.RequestedMaxKeepAliveCount
        return response

    def _CreateMonitoredItems(self, _id: int, _header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.CreateMonitoredItemsParameters, body)
        self._limit("items", len(asked.ItemsToCreate))
        self._script.items_asked += asked.ItemsToCreate
        subscription = self._script.subscriptions[asked.SubscriptionId]
        results = [self._create(subscription, item) for item in asked.ItemsToCreate]
        return ua.CreateMonitoredItemsResponse(Results=results)

    def _create(self, subscription: Subscription, item: Any) -> ua.MonitoredItemCreateResult:
        tag = str(item.ItemToMonitor.NodeId.Identifier)
        code = 0
        if self._script.deny.get(tag):
            code = self._script.deny[tag].popleft()
        elif len(subscription.handles) >= self._script.items_per_subscription:
            code = Fault.BadTooManyMonitoredItems
        if not code:
            subscription.handles[item.RequestedParameters.ClientHandle] = tag
        return ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(code))

    def _DeleteSubscriptions(self, _id: int, _header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.DeleteSubscriptionsParameters, body)
        for number in asked.SubscriptionIds:
            self._script.subscriptions.pop(number, None)
        return ua.DeleteSubscriptionsResponse(Results=[ua.StatusCode(0) for _ in asked.SubscriptionIds])

    def _Publish(self, request_id: int, header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.PublishParameters, body)
        for acknowledged in asked.SubscriptionAcknowledgements:
            subscription = self._script.subscriptions.get(acknowledged.SubscriptionId)
            if subscription is not None:
                subscription.acknowledged.append(acknowledged.SequenceNumber)
                subscription.sent.pop(acknowledged.SequenceNumber, None)
        if self._script.refuse_publish:
            raise FaultError(self._script.refuse_publish.popleft())
        if not self._script.subscriptions:
            raise FaultError(Fault.BadNoSubscription)
        if len(self._script.requests) >= self._script.publish_limit:
            raise FaultError(Fault.BadTooManyPublishRequests)
        self._script.requests.append((self, request_id, header.RequestHandle))

    def _Republish(self, request_id: int, header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.RepublishParameters, body)
        subscription = self._script.subscriptions.get(asked.SubscriptionId)
        if subscription is None:
            raise FaultError(Fault.BadSubscriptionIdInvalid)
        kept = subscription.sent.get(asked.RetransmitSequenceNumber)
        if kept is None or not self._script.republish:
            raise FaultError(Fault.BadMessageNotAvailable)
        self._script.calls["republished"] += 1
        message = struct_from_binary(ua.NotificationMessage, Buffer(kept))
        return ua.RepublishResponse(NotificationMessage=message)

    def _TransferSubscriptions(self, _id: int, _header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.TransferSubscriptionsParameters, body)
        if self._script.transfer is None:
            raise FaultError(Fault.BadServiceUnsupported)
        response = ua.TransferSubscriptionsResponse()
        for number in asked.SubscriptionIds:
            subscription = self._script.subscriptions.get(number)
            result = ua.TransferResult()
            if subscription is None or not self._script.transfer:
                result.StatusCode = ua.StatusCode(Fault.BadSubscriptionIdInvalid)
            else:
                result.AvailableSequenceNumbers = sorted(subscription.sent)
            response.Parameters.Results.append(result)
        return response

    def _HistoryRead(self, _id: int, _header: Any, body: Any) -> Any:
        asked = struct_from_binary(ua.HistoryReadParameters, body)
        self._limit("history", len(asked.NodesToRead))
        self._script.history_fault(len(asked.NodesToRead))
        if asked.ReleaseContinuationPoints:
            return ua.HistoryReadResponse(Results=[ua.HistoryReadResult() for _ in asked.NodesToRead])
        left = [self._script.max_continuations]
        return ua.HistoryReadResponse(
            Results=[self._history(asked.HistoryReadDetails, node, left) for node in asked.NodesToRead]
        )

    def _history(self, details: Any, node: Any, left: list[int]) -> ua.HistoryReadResult:
        tag = str(node.NodeId.Identifier)
        self._script.calls[f"history {tag}"] += 1
        if self._script.bad_history.get(tag):
            code = self._script.bad_history[tag].popleft()
            return ua.HistoryReadResult(StatusCode=ua.StatusCode(code))
        if tag in self._script.no_history:
            return ua.HistoryReadResult(StatusCode=ua.StatusCode(Fault.BadHistoryOperationUnsupported))
        from protocols.opcua_time import to_ticks

        start, end = to_ticks(details.StartTime), to_ticks(details.EndTime)
        if isinstance(details, ua.ReadProcessedDetails):
            return self._processed(tag, details, start, end)
        after = int(node.ContinuationPoint) if node.ContinuationPoint else -1
        numbers = [
            number
            for number in sorted(self._script.produced.get(tag, ()))
            if start <= self._script.sample(tag, number)[0] < end and number > after
        ]
        page = numbers[: self._script.history_page]
        result = ua.HistoryReadResult()
        values = [self._script.data_value(tag, number) for number in page]
        result.HistoryData = ua.HistoryData(values)
        if len(numbers) > len(page):
            if not left[0]:
                result.StatusCode = ua.StatusCode(Fault.BadNoContinuationPoints)
            else:
                left[0] -= 1
                result.ContinuationPoint = str(page[-1]).encode()
        return result

    def _processed(self, tag: str, details: Any, start: int, end: int) -> ua.HistoryReadResult:
        step = int(details.ProcessingInterval * TICKS_PER_SECOND / 1000)
        values = []
        for begin in range(start, end, step):
            inside = [
                self._script.sample(tag, number)[1]
                for number in self._script.produced.get(tag, ())
                if begin <= self._script.sample(tag, number)[0] < begin + step
            ]
            mean = ua.Variant(sum(inside) / len(inside) if inside else 0.0)
            at = from_ticks(begin)
            values.append(ua.DataValue(mean, ua.StatusCode(0), at, at))
        return ua.HistoryReadResult(HistoryData=ua.HistoryData(values))


@asynccontextmanager
async def serve(script: Script, port: int) -> AsyncIterator[None]:
    """The server on a port of this machine; leaving cuts its connections."""
    url = f"opc.tcp://127.0.0.1:{port}/scripted"
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(script, url), "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        script.drop_connections()
        await asyncio.sleep(0)
