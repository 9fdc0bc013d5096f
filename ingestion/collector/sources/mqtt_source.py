"""One MQTT broker: JSON by mapping and Sparkplug B, acknowledged once sealed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingestion.collector.settings_base import SettingsError
from ingestion.collector.sources.items import Refusal, SourceGap, Taken
from ingestion.collector.sources.json_messages import JsonMessages
from ingestion.collector.sources.mapping import load_mapping
from ingestion.collector.sources.mqtt_client import Delivery, MqttClient, tls_context
from ingestion.collector.sources.source import Source
from ingestion.collector.sources.sparkplug_messages import NAMESPACE, TYPES, SparkplugMessages
from ingestion.collector.sources.sparkplug_nodes import EdgeNodes
from protocols.opcua_time import to_ticks
from protocols.sparkplug import encode_rebirth

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings
    from ingestion.collector.sources.settings import MqttSettings
    from protocols.clock import Clock

SESSION_NAME = "mqtt_session.json"
REBIRTH_EVERY_S = 60.0
LOOK_EVERY_S = 0.5
_UNREADABLE = (ValueError, ArithmeticError, LookupError, TypeError, RecursionError)
_log = logging.getLogger(__name__)


class MqttSource(Source):
    """Collects from one broker.

    Args:
        source: the broker.
        settings: the collector's settings.
        sign_key: signs the segments.
        clock: plant time.

    Raises:
        SettingsError: the mapping, the password or a certificate cannot be read.
        TagTableError, MarksError: the tag table or what was sealed before cannot be read.
    """

    def __init__(
        self, source: MqttSettings, settings: CollectorSettings, sign_key: Ed25519PrivateKey, clock: Clock
    ) -> None:
        scheme = "mqtt" if source.tls is None else "mqtts"
        url = f"{scheme}://{source.host}:{source.port}"
        super().__init__(source, url, source.stalled_at, settings, sign_key, clock)
        _require_files(source)
        self._source = source
        self._reconnect_within_s = settings.reconnect_within_s
        self._filters: list[str] = []
        self._json: JsonMessages | None = None
        self._sparkplug: SparkplugMessages | None = None
        if source.mapping is not None:
            mapping = load_mapping(source.mapping)
            self._json = JsonMessages(mapping, self.tags)
            self._filters += mapping.filters()
        if source.sparkplug is not None:
            nodes = EdgeNodes(self.directory)
            self._sparkplug = SparkplugMessages(nodes, self.tags)
            self._filters += _sparkplug_filters(source.sparkplug.groups)
            self.turns.before_telling.append(nodes.save)
        self._client: MqttClient | None = None
        self._rebirth_asked: dict[str, float] = {}

    async def collect(self) -> None:
        """Receive for ever; paho connects again by itself."""
        self._client = MqttClient(
            self._source,
            self._filters,
            self._reconnect_within_s,
            on_delivery=self._take,
            on_connected=self._connected,
            on_lost=self._lost,
        )
        self._client.start()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._sparkplug is not None:
                self._ask_for_births(self._sparkplug.wants_rebirth)

    async def end(self) -> None:
        """Disconnect; the broker goes on keeping what arrives for us."""
        if self._client is not None:
            await asyncio.to_thread(self._client.stop)

    def measure(self) -> dict[str, Any]:
        """What was dropped, and which edge nodes owe a birth."""
        owing = sorted(self._sparkplug.wants_rebirth) if self._sparkplug else []
        dropped = self._client.dropped_qos0 if self._client else 0
        return {"qos0_dropped": dropped, "edge_nodes_without_birth": owing}

    def _take(self, delivery: Delivery) -> None:
        assert self._client is not None
        client, now = self._client, self.now()
        if delivery.qos == 0 and self.turns.is_stuck and len(self.admission) >= self._source.max_waiting:
            self.admission.counts["qos0_dropped_while_the_disk_refused"] += 1
            return  # nobody keeps it; what has a higher QoS stays with the broker
        try:
            taken = self._read(delivery, now)
        except _UNREADABLE as error:  # a fault of ours; the message is kept in sight, and the rest goes on
            _log.exception("%s: reading a message of %s", self.status.system_id, delivery.topic)
            taken = _refuse(delivery, "not_understood", "采集器无法解释该消息", f"not understood: {error!r}")
        if taken is None:
            zh, en = "没有映射规则适用于该主题", "no rule of the mapping is about this topic"
            taken = _refuse(delivery, "no_rule", zh, en)
        self.take(taken, lambda: client.acknowledge(delivery))

    def _read(self, delivery: Delivery, now: int) -> Taken | None:
        topic, payload = delivery.topic, delivery.payload
        if self._sparkplug is not None and topic.startswith(f"{NAMESPACE}/"):
            return self._sparkplug.read(topic, payload, now, is_again=delivery.is_again)
        if self._json is not None:
            return self._json.read(topic, payload, now, is_retained=delivery.is_retained)
        return None

    def _connected(self, had_session: bool) -> None:
        self.status.connected, self.status.last_error = True, None
        self.status.connections += 1
        path = self.directory / SESSION_NAME
        last = _last_connected(path)
        if last is not None and not had_session:
            detail = "the broker no longer knew our session; what it kept for us meanwhile is lost"
            self.take(
                Taken(gaps=[SourceGap(min(last, self.now()), self.now(), "session_lost", detail)]), None
            )
        self._note_connected(path)

    def _lost(self, reason: str) -> None:
        if self.status.connected:
            self._note_connected(self.directory / SESSION_NAME)
        self.status.connected, self.status.last_error = False, reason

    def _note_connected(self, path: Any) -> None:
        content = {"client_id": self._source.client_id, "connected_at_utc": self.clock.now().isoformat()}
        try:
            path.write_text(json.dumps(content), encoding="utf-8")
        except OSError as error:
            self.status.last_error = f"writing {path}: {error}"

    def _ask_for_births(self, nodes: set[str]) -> None:
        assert self._client is not None
        assert self._source.sparkplug is not None
        if not self._source.sparkplug.may_request_rebirth or not self.status.connected:
            return
        now_s = time.monotonic()
        for node in nodes:
            if now_s - self._rebirth_asked.get(node, -REBIRTH_EVERY_S) < REBIRTH_EVERY_S:
                continue
            self._rebirth_asked[node] = now_s
            group, _, name = node.partition("/")
            sent_ms = int(datetime.now(UTC).timestamp() * 1000)
            self._client.publish(f"{NAMESPACE}/{group}/NCMD/{name}", encode_rebirth(sent_ms))
            self.admission.counts["rebirths_requested"] += 1


def _refuse(delivery: Delivery, code: str, zh: str, en: str) -> Taken:
    content = delivery.payload[:2_000].decode("utf-8", "replace")
    return Taken(refusals=[Refusal(delivery.topic, code, zh, en, content)])


def _require_files(source: MqttSettings) -> None:
    """What the connection needs is read once here, so that a missing file is told at the start."""
    try:
        if source.password_file is not None:
            source.password_file.read_text("utf-8")
        if source.tls is not None:
            tls_context(source)
    except (OSError, ValueError) as error:
        msg = f"reading what {source.system_id} needs for its broker: {error}; correct password_file or tls"
        raise SettingsError(msg) from error


def _sparkplug_filters(groups: tuple[str, ...]) -> list[str]:
    """Subscriptions to what edge nodes send; never to commands."""
    tails = [f"{kind}/+" + ("/+" if kind.startswith("D") else "") for kind in TYPES]
    return [f"{NAMESPACE}/{group}/{tail}" for group in groups for tail in tails]


def _last_connected(path: Any) -> int | None:
    try:
        return to_ticks(datetime.fromisoformat(json.loads(path.read_text("utf-8"))["connected_at_utc"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # never connected
