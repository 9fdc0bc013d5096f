"""The connection to a broker: paho's, with a session that the broker keeps and acknowledgements of our own.

paho runs in a thread of its own and connects again for ever with bounded waits. Deliveries are handed to the
event loop. A message is acknowledged only when told so, and only on the connection that brought it: on
another the same number may mean another message.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingestion.collector.sources.settings import MqttSettings

QOS = 1
_FIRST_BACKOFF_S = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """One message as the broker delivered it, on which connection."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    is_again: bool
    is_retained: bool
    connection: int


class MqttClient:
    """Connects and stays connected; hands deliveries on.

    Args:
        settings: the broker.
        filters: subscriptions.
        reconnect_within_s: the longest wait between two attempts.
        on_delivery: called in the event loop with each message.
        on_connected: called in the event loop with whether the broker still had our session.
        on_lost: called in the event loop with why.

    Raises:
        OSError: the password, or a certificate, cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        filters: Sequence[str],
        reconnect_within_s: float,
        on_delivery: Callable[[Delivery], None],
        on_connected: Callable[[bool], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._settings, self._filters = settings, list(filters)
        self._on_delivery, self._on_connected, self._on_lost = on_delivery, on_connected, on_lost
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._connection = 0
        self._waiting = 0
        self.dropped_qos0 = 0
        self._client = self._make_client(settings, reconnect_within_s)

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        more: dict[str, Any] = {}
        if self._is_v5:
            properties: Any = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = round(self._settings.session_expiry_h * 3600)
            properties.ReceiveMaximum = self._settings.in_flight
            more = {"clean_start": False, "properties": properties}
        settings = self._settings
        self._client.connect_async(settings.host, settings.port, settings.keep_alive_s, **more)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session."""
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that a message is safe, unless it must send it again anyway."""
        with self._lock:
            if delivery.qos > 0 and delivery.connection == self._connection:
                self._client.ack(delivery.mid, delivery.qos)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message to the plant. Only for what the site has allowed in so many words."""
        self._client.publish(topic, payload, qos=0)

    @property
    def _is_v5(self) -> bool:
        return self._settings.protocol == "5"

    def _make_client(self, settings: MqttSettings, reconnect_within_s: float) -> Client:
        protocol = MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311
        client = Client(
            CallbackAPIVersion.VERSION2,
            settings.client_id,
            clean_session=None if self._is_v5 else False,
            protocol=protocol,
            manual_ack=True,
        )
        if settings.username is not None and settings.password_file is not None:
            client.username_pw_set(settings.username, settings.password_file.read_text("utf-8").strip())
        if settings.tls is not None:
            client.tls_set_context(tls_context(settings))
        client.reconnect_delay_set(_FIRST_BACKOFF_S, max(_FIRST_BACKOFF_S, round(reconnect_within_s)))
        client.on_connect, client.on_disconnect = self._connected, self._disconnected
        client.on_connect_fail = self._failed
        client.on_message, client.on_subscribe = self._message, self._subscribed
        return client

    # From here on in paho's thread.

    def _connected(self, client: Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._call(self._on_lost, f"the broker refused: {reason}")
            return
        with self._lock:
            self._connection += 1
        if self._is_v5:
            # 1: what the broker retains is sent once a subscription is new, not at each connection.
            options = SubscribeOptions(qos=QOS, retainAsPublished=False, retainHandling=1)
            wanted: list[Any] = [(topic, options) for topic in self._filters]
        else:
            wanted = [(topic, QOS) for topic in self._filters]
        client.subscribe(wanted)
        self._call(self._on_connected, bool(flags.session_present))

    def _subscribed(self, _client: Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._call(self._on_lost, f"the broker refused a subscription: {', '.join(sorted(set(refused)))}")

    def _disconnected(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._lock:
            self._connection += 1
        self._call(self._on_lost, f"the connection ended: {reason}")

    def _failed(self, _client: Client, _data: Any) -> None:
        self._call(self._on_lost, f"{self._settings.host}:{self._settings.port} cannot be reached")

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # MQTT forbids it; nobody's rule, so it is refused and acknowledged
        with self._lock:
            if message.qos == 0 and self._waiting >= self._settings.max_waiting:
                self.dropped_qos0 += 1
                return
            self._waiting += 1
            connection = self._connection
        delivery = Delivery(
            topic, bytes(message.payload), message.qos, message.mid, message.dup, message.retain, connection
        )
        self._call(self._deliver, delivery)

    def _call(self, function: Callable[..., None], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:
            _log.debug("the event loop is closed")  # stopping; what was not acknowledged comes again

    # In the event loop again.

    def _deliver(self, delivery: Delivery) -> None:
        with self._lock:
            self._waiting -= 1
        self._on_delivery(delivery)


def tls_context(settings: MqttSettings) -> ssl.SSLContext:
    """Whom the settings trust, and who we are; TLS 1.2 at least.

    Raises:
        OSError: a certificate or key cannot be read.
    """
    assert settings.tls is not None
    context = ssl.create_default_context(cafile=str(settings.tls.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.tls.certificate is not None:
        context.load_cert_chain(str(settings.tls.certificate), str(settings.tls.private_key))
    return context
