"""Sparkplug B messages: births, data and deaths as points, and what is missing between them as gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingestion.collector.sources.items import NO_TICKS, Refusal, SourceGap, SourcePoint, Taken
from ingestion.collector.sources.json_values import split_value
from ingestion.collector.sources.sparkplug_nodes import NODE, SEQUENCES, EdgeNodes, bd_seq, name_of
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.sparkplug import DataType, SparkplugError, decode_payload

if TYPE_CHECKING:
    from ingestion.collector.sources.sparkplug_nodes import Birth
    from ingestion.collector.sources.tags import TagRegister
    from protocols.sparkplug import Metric, Payload

NAMESPACE = "spBv1.0"
TYPES = ("NBIRTH", "NDEATH", "DBIRTH", "DDEATH", "NDATA", "DDATA")
BAD, BAD_NO_COMMUNICATION, BAD_NO_DATA = 0x80000000, 0x80310000, 0x809B0000
UNCERTAIN, UNCERTAIN_LAST_USABLE = 0x40000000, 0x40900000
# Ignition's quality codes; the three are memory, not verified in a primary text.
_QUALITIES = {192: 0, 0: BAD, 500: UNCERTAIN_LAST_USABLE}
_TICKS_PER_MS = 10_000
_LAST_MS = (
    253_402_214_400_000  # 9999-12-31, so that what lies beyond is refused as a time and not as a number
)
_CONTENT_BYTES = 1_000
NAME_LIMIT = 512


class SparkplugMessages:
    """Reads the messages of edge nodes.

    Args:
        nodes: what is known of them.
        tags: gives tags to metrics.
    """

    def __init__(self, nodes: EdgeNodes, tags: TagRegister) -> None:
        self._nodes, self._tags = nodes, tags
        self.wants_rebirth: set[str] = set()

    def read(self, topic: str, payload: bytes, now: int, *, is_again: bool = False) -> Taken | None:
        """What a message becomes; None where the topic is none of Sparkplug's.

        Args:
            topic: where it was published.
            payload: its bytes.
            now: plant time, in ticks.
            is_again: the broker sends it once more.
        """
        levels = topic.split("/")
        if levels[0] != NAMESPACE or len(levels) not in (4, 5) or levels[2] not in TYPES:
            return None
        kind, node = levels[2], f"{levels[1]}/{levels[3]}"
        device = levels[4] if len(levels) == 5 else NODE
        taken = Taken()
        try:
            message = decode_payload(payload)
            if kind == "NDEATH":
                self._node_death(node, message, now, taken)
            else:
                self._message(kind, node, device, message, now, taken, is_again=is_again)
        except SparkplugError as error:
            taken.refusals.append(_refusal(topic, "no_payload", "不是 Sparkplug B 报文", str(error), payload))
        except LookupError as error:
            self.wants_rebirth.add(node)
            zh = f"缺少出生报文，无法解释 {error}"
            en = f"no birth says what {error} means"
            taken.refusals.append(_refusal(topic, "no_birth", zh, en, payload))
        return taken

    def _message(
        self,
        kind: str,
        node: str,
        device: str,
        message: Payload,
        now: int,
        taken: Taken,
        *,
        is_again: bool,
    ) -> None:
        self._check_sequence(kind, node, message, now, taken, is_again=is_again)
        sent = _ticks(message.timestamp_ms, now)
        if kind in ("NBIRTH", "DBIRTH"):
            birth: Birth | None = self._nodes.bear(node, device, message)
            self.wants_rebirth.discard(node)
        else:
            birth = self._nodes[node].births.get(device)
        if kind == "DDEATH":
            self._bury(node, device, sent, taken)
            return
        unknown: list[str] = []
        for metric in message.metrics:
            name = name_of(birth, metric)
            if name is None or len(name) > NAME_LIMIT:
                unknown.append(f"alias {metric.alias}" if name is None else name[:60])
            elif name != "bdSeq" and not name.startswith(("Node Control/", "Device Control/")):
                self._point(node, device, name, metric, birth, message, now, taken)
        if unknown:
            raise LookupError(", ".join(unknown[:5]))

    def _point(
        self,
        node: str,
        device: str,
        name: str,
        metric: Metric,
        birth: Birth | None,
        message: Payload,
        now: int,
        taken: Taken,
    ) -> None:
        datatype = metric.datatype or (birth.datatypes.get(name, 0) if birth else 0)
        try:
            number, text = split_value(metric.value(datatype))
        except SparkplugError as error:
            taken.refusals.append(_refusal(f"{node}/{name}", "no_value", "值与类型不符", str(error), b""))
            return
        tag = self._tag(node, device, name, datatype, metric)
        if tag is None:
            zh = "位号数已达上限 max_tags"
            taken.refusals.append(_refusal(f"{node}/{name}", "too_many_tags", zh, "max_tags are in use", b""))
            return
        sent = NO_TICKS if message.timestamp_ms is None else _ticks(message.timestamp_ms, now)
        ticks = _ticks(metric.timestamp_ms, sent if sent != NO_TICKS else now)
        taken.points.append(SourcePoint(tag, ticks, number, text, _status(metric), sent))

    def _tag(self, node: str, device: str, name: str, datatype: int, metric: Metric | None) -> str | None:
        path = [*node.split("/"), *([device] if device else []), name]
        said: dict[str, Any] = {}
        if metric is not None and metric.properties:
            unit = metric.properties.get("engUnit")
            said = {"unit_on_server": unit if isinstance(unit, str) else None}
            for column, key in (("range_low", "engLow"), ("range_high", "engHigh")):
                limit = metric.properties.get(key)
                said[column] = float(limit) if isinstance(limit, int | float) else None
        if datatype in _TYPE_NAMES:
            said["data_type"] = _TYPE_NAMES[datatype]
        return self._tags.tag_of(f"spb:{'/'.join(path)}", ".".join(path), **said)

    def _node_death(self, node: str, message: Payload, now: int, taken: Taken) -> None:
        found, number = self._nodes[node], bd_seq(message)
        if not found.is_alive or (number is not None and found.bd_seq is not None and number != found.bd_seq):
            return  # dead already, or the will of a session before the last birth
        # The will was made when the node connected: its time is that, not the death's.
        self._bury(node, None, now, taken)

    def _bury(self, node: str, device: str | None, at: int, taken: Taken) -> None:
        last = _ticks(self._nodes[node].last_ms, at)
        at = max(at, last + 1)
        for name, metric in self._nodes.bury(node, device):
            tag = self._tag(node, name, metric, 0, None)
            if tag is not None and metric != "bdSeq" and not metric.startswith(("Node Control/",)):
                taken.points.append(SourcePoint(tag, at, None, None, BAD_NO_COMMUNICATION))

    def _check_sequence(
        self, kind: str, node: str, message: Payload, now: int, taken: Taken, *, is_again: bool
    ) -> None:
        found, seq = self._nodes[node], message.seq
        sent_ms = message.timestamp_ms or 0
        last, last_ms = found.last_seq, found.last_ms
        if kind != "NBIRTH" and seq is not None and last is not None:
            ahead = (seq - last - 1) % SEQUENCES
            if ahead >= SEQUENCES // 2 and is_again:
                return  # told of before, and sent again because we had not said so
            if ahead:
                detail = f"{node}: message {seq} came where {(last + 1) % SEQUENCES} was expected"
                until = _ticks(message.timestamp_ms, now)
                taken.gaps.append(SourceGap(min(_ticks(last_ms, now), until), until, "sequence_gap", detail))
                self.wants_rebirth.add(node)
        self._nodes.advance(node, seq, sent_ms if sent_ms < 2**45 else 0)


_TYPE_NAMES = {
    int(kind): {"DATETIME": "DateTime", "TEXT": "String", "UUID": "Guid"}.get(
        kind.name, kind.name.capitalize().replace("Uint", "UInt")
    )
    for kind in DataType
    if DataType.UNKNOWN < kind <= DataType.UUID
}


def _ticks(milliseconds: int | None, otherwise: int) -> int:
    """Milliseconds since 1970 as ticks; far beyond the calendar they stay far, to be refused as a time."""
    if not milliseconds:
        return otherwise
    return min(milliseconds, _LAST_MS) * _TICKS_PER_MS + UNIX_EPOCH_TICKS


def _status(metric: Metric) -> int:
    quality = metric.properties.get("Quality")
    if isinstance(quality, int) and not isinstance(quality, bool):
        if quality in _QUALITIES:
            return _QUALITIES[quality]
        # The two bits of classic OPC quality: 11 good, 01 uncertain.
        return {0xC0: 0, 0x40: UNCERTAIN}.get(quality & 0xC0, BAD)
    return BAD_NO_DATA if metric.is_null or metric.raw is None else 0


def _refusal(subject: str, code: str, zh: str, en: str, payload: bytes) -> Refusal:
    return Refusal(subject, code, zh, en, payload[:_CONTENT_BYTES].hex())
