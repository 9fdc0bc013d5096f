"""JSON messages by mapping: points and events out of a payload, or the reason why not."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ingestion.collector.sources.items import Refusal, SourceEvent, SourcePoint, Taken
from ingestion.collector.sources.json_values import (
    NOT_FOUND,
    Wrong,
    WrongError,
    dump,
    first_found,
    instant,
    look,
    split_value,
    text_at,
)
from ingestion.collector.sources.mapping import EventsRule, PointsRule, fill

if TYPE_CHECKING:
    from ingestion.collector.sources.mapping import Mapping
    from ingestion.collector.sources.tags import TagRegister

PAYLOAD_LIMIT = 4 * 2**20
LINK_LIMIT = 2_000
LINK_SCHEMES = ("http://", "https://", "rtsp://", "gb28181://")
NAME_LIMIT = 512
BAD_NO_DATA = 0x809B0000
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class JsonMessages:
    """Reads messages by a mapping.

    Args:
        mapping: the rules.
        tags: gives tags to addresses.
    """

    def __init__(self, mapping: Mapping, tags: TagRegister) -> None:
        self._mapping, self._tags = mapping, tags

    def read(self, topic: str, payload: bytes, now: int, *, is_retained: bool = False) -> Taken | None:
        """What a message becomes; None when no rule is about its topic.

        Args:
            topic: where it was published.
            payload: its bytes.
            now: plant time, in ticks.
            is_retained: the broker kept it, so that its time is not now.
        """
        for rule in self._mapping.rules:
            captures = rule.captures(topic)
            if captures is not None:
                return self._read(rule, topic, captures, payload, now, is_retained=is_retained)
        return None

    def _read(
        self,
        rule: PointsRule | EventsRule,
        topic: str,
        captures: dict[str, str],
        payload: bytes,
        now: int,
        *,
        is_retained: bool,
    ) -> Taken:
        taken = Taken()
        if is_retained and rule.time.written == "arrival":
            return taken  # a value of some time ago would get the time of now, at each connection anew
        try:
            message = _parse(payload)
            if isinstance(rule, EventsRule):
                taken.events.append(_event(rule, topic, captures, message, now))
            else:
                self._points(rule, topic, captures, message, now, taken)
        except WrongError as error:
            taken.refusals.append(_refusal(topic, error, payload))
        return taken

    def _points(
        self,
        rule: PointsRule,
        topic: str,
        captures: dict[str, str],
        message: Any,
        now: int,
        taken: Taken,
    ) -> None:
        for key, entry in _entries(rule, message):
            try:
                taken.points.append(self._point(rule, topic, {**captures, "key": key}, entry, message, now))
            except WrongError as error:
                content = dump({key: entry}).encode()
                taken.refusals.append(_refusal(topic, error, content))

    def _point(
        self,
        rule: PointsRule,
        topic: str,
        captures: dict[str, str],
        entry: Any,
        message: Any,
        now: int,
    ) -> SourcePoint:
        name = _filled(rule.tag, captures, entry)
        value = look(rule.value, entry)
        if value is NOT_FOUND:
            raise WrongError(Wrong.NO_VALUE, f"没有值 {rule.value}", f"there is no value at {rule.value!r}")
        ticks = instant(rule.time, entry, message, now)
        number, text = split_value(value)
        unit = look(rule.unit, entry) if rule.unit is not None else None
        address = f"mqtt:{topic}#{captures['key']}" if rule.each is not None else f"mqtt:{topic}"
        tag = self._tags.tag_of(
            address,
            name,
            unit_on_server=unit if isinstance(unit, str) else None,
            data_type="String" if number is None and text is not None else None,
        )
        if tag is None:
            raise WrongError(Wrong.TOO_MANY_TAGS, "位号数已达上限 max_tags", "max_tags are in use already")
        return SourcePoint(tag, ticks, number, text, _status(rule, entry, message, value))


def _entries(rule: PointsRule, message: Any) -> list[tuple[str, Any]]:
    if rule.each is None:
        return [("", message)]
    found = look(rule.each, message)
    if isinstance(found, dict):
        entries = [(str(key), entry) for key, entry in found.items()]
    elif isinstance(found, list):
        entries = [(str(index), entry) for index, entry in enumerate(found)]
    else:
        raise WrongError(
            Wrong.NO_ENTRIES, f"{rule.each} 处不是对象或数组", f"there is no object or list at {rule.each!r}"
        )
    return [(key, entry) for key, entry in entries if rule.keys is None or key in rule.keys]


def _event(rule: EventsRule, topic: str, captures: dict[str, str], message: Any, now: int) -> SourceEvent:
    ticks = instant(rule.time, message, message, now)
    event_type = text_at(rule.type, message)
    if not event_type:
        raise WrongError(Wrong.NO_EVENT_TYPE, f"没有事件类型 {rule.type}", f"no event type at {rule.type!r}")
    link = text_at(rule.link, message)
    if link is not None and (len(link) > LINK_LIMIT or not link.lower().startswith(LINK_SCHEMES)):
        raise WrongError(
            Wrong.NO_LINK,
            "链接不是网址；图像留在视频系统，只传链接",
            f"the link is no address of {', '.join(LINK_SCHEMES)}; pictures stay in the video system",
        )
    kept = {name: look(pointer, message) for name, pointer in rule.attributes.items()}
    attributes = {name: value for name, value in kept.items() if value is not NOT_FOUND}
    source = _filled(rule.source, captures, message)
    said = json.dumps([topic, source, ticks, message], ensure_ascii=False, sort_keys=True, default=str)
    own_id = text_at(rule.id, message)
    hashed = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return SourceEvent(
        event_id=f"{source}/{own_id}" if own_id else hashed,
        source_name=source,
        event_type=event_type,
        ticks=ticks,
        message=text_at(rule.message, message),
        link=link,
        attributes=dump(attributes) if attributes else None,
        subject=topic,
    )


def _parse(payload: bytes) -> Any:
    if len(payload) > PAYLOAD_LIMIT:
        size = f"{len(payload)} > {PAYLOAD_LIMIT}"
        raise WrongError(Wrong.TOO_LONG, f"消息过长（{size} 字节）", f"the message is too long: {size} bytes")
    try:
        text = payload.decode("utf-8-sig")
        # Numbers with a point stay decimal until they are split, so that no digit of a long one is lost.
        message = json.loads(text, parse_float=Decimal)
        return _encodable(message) if _SURROGATE.search(text) else message
    except (ValueError, RecursionError) as error:
        raise WrongError(Wrong.NO_JSON, f"不是 JSON：{error}", f"it is no JSON: {error}") from error


def _encodable(value: Any) -> Any:
    """A message without halves of surrogate pairs, which JSON may hold and no column can."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def _filled(template: str, captures: dict[str, str], entry: Any) -> str:
    try:
        name = fill(template, captures, entry)
    except LookupError as error:
        raise WrongError(
            Wrong.NO_NAME, f"无法组成名称：缺 {error}", f"no name: {error} is missing"
        ) from error
    if not 0 < len(name) <= NAME_LIMIT:
        zh, en = (
            f"名称长 {len(name)}，上限 {NAME_LIMIT}",
            f"a name of {len(name)} letters, limit {NAME_LIMIT}",
        )
        raise WrongError(Wrong.NO_NAME, zh, en)
    return name


def _status(rule: PointsRule, entry: Any, message: Any, value: Any) -> int:
    if rule.quality is None:
        return 0 if value is not None else BAD_NO_DATA  # the sender says null
    found = first_found(rule.quality.at, entry, message)
    if found is NOT_FOUND:
        return rule.quality.otherwise
    text = found if isinstance(found, str) else dump(found)
    return rule.quality.codes.get(text, rule.quality.otherwise)


def _refusal(topic: str, error: WrongError, payload: bytes) -> Refusal:
    return Refusal(topic, error.code, error.zh, error.en, payload[:2_000].decode("utf-8", "replace"))
