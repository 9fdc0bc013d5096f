"""The mapping file of an MQTT source: which JSON message on which topic is which tag or event.

A rule says where in the message things stand, by JSON pointer (RFC 6901). Topics are MQTT filters; a level
`{name}` matches any one level and keeps it. The first rule that matches a topic takes the message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from ingestion.collector.settings_base import SettingsError, Strict

if TYPE_CHECKING:
    from pathlib import Path

_CAPTURE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_FIELD = re.compile(r"\{([^{}]+)\}")


def _pointer(text: str) -> str:
    if text and not text.startswith("/"):
        msg = f"{text!r} is no JSON pointer: write / before each step, nothing for the whole message"
        raise ValueError(msg)
    return text


Pointer = Annotated[str, AfterValidator(_pointer)]


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:
        msg = f"there is no time zone {text!r}; expected one like Asia/Shanghai"
        raise ValueError(msg) from error
    return text


StatusCode = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]


class TimeRule(Strict):
    """Where the instant stands and how it is written; `arrival` takes the collector's clock instead."""

    at: Pointer | None = None
    # Not `auto`: seconds taken for milliseconds are 1970, and nobody notices in time.
    written: Literal["iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "arrival"]
    # The zone of ISO times that say none.
    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"

    @model_validator(mode="after")
    def _require_place(self) -> Self:
        if (self.at is None) != (self.written == "arrival"):
            msg = "give at: with the pointer to the time, unless written: arrival"
            raise ValueError(msg)
        return self


class QualityRule(Strict):
    """Where the quality stands, and which OPC UA status code each of its texts is."""

    at: Pointer
    codes: dict[str, StatusCode]
    otherwise: StatusCode = 0x40000000  # Uncertain


class _Rule(Strict):
    topic: str = Field(min_length=1)
    time: TimeRule

    @model_validator(mode="after")
    def _require_filter(self) -> Self:
        levels = self.topic.split("/")
        names = _CAPTURE.findall(self.topic)
        whole = all(
            level in ("+", "#") or _CAPTURE.fullmatch(level) or not re.search(r"[{}+#]", level)
            for level in levels
        )
        if not whole or "#" in levels[:-1] or len(set(names)) != len(names):
            msg = f"topic {self.topic!r}: +, {{name}} and a last # stand for whole levels, each name once"
            raise ValueError(msg)
        return self

    @property
    def filter(self) -> str:
        """The MQTT subscription."""
        return _CAPTURE.sub("+", self.topic)

    def captures(self, topic: str) -> dict[str, str] | None:
        """What the named levels are on a topic, None where the rule is not about it."""
        wanted, found = self.topic.split("/"), topic.split("/")
        if wanted[-1] == "#":
            wanted, found = wanted[:-1], found[: len(wanted) - 1]
        if len(wanted) != len(found) or (topic.startswith("$") and wanted[:1] in (["+"], ["#"])):
            return None
        captures: dict[str, str] = {}
        for level, text in zip(wanted, found, strict=True):
            named = _CAPTURE.fullmatch(level)
            if named:
                captures[named[1]] = text
            elif level not in ("+", text):
                return None
        return captures


class PointsRule(_Rule):
    """Measured values: one a message, or one for each entry of an object or list in it.

    Attributes:
        tag: the tag's name, with `{name}` of the topic, `{key}` of the entry, or `{/pointer}` into the entry.
        each: pointer to the object or list whose entries are points; without it the message is the one.
        value: pointer to the value, from the entry.
        unit: pointer to the unit, from the entry.
        keys: entries to take where only some are values; all when left out.

    Time and quality are looked for in the entry first, then in the whole message.
    """

    kind: Literal["points"] = "points"
    tag: str = Field(min_length=1)
    each: Pointer | None = None
    value: Pointer = ""
    quality: QualityRule | None = None
    unit: Pointer | None = None
    keys: tuple[str, ...] | None = None


class EventsRule(_Rule):
    """Things that happened: a camera's detection, a step of a batch. Never a picture, only the link to it.

    Attributes:
        source: what it happened to, a template as `tag` above.
        type: pointer to the event's type.
        id: pointer to the sender's own number of it; without it a hash of topic, time and content is.
        message: pointer to its text.
        link: pointer to the address of the picture or record.
        attributes: what else is kept, by name.
    """

    kind: Literal["events"]
    source: str = Field(min_length=1)
    type: Pointer
    id: Pointer | None = None
    message: Pointer | None = None
    link: Pointer | None = None
    attributes: dict[str, Pointer] = Field(default_factory=dict)


Rule = Annotated[EventsRule | PointsRule, Field(discriminator="kind")]


class Mapping(Strict):
    """All of a mapping file."""

    schema_version: Literal[1]
    rules: tuple[Rule, ...] = Field(min_length=1)

    def filters(self) -> list[str]:
        """The subscriptions that all rules need."""
        return sorted({rule.filter for rule in self.rules})


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file.

    Raises:
        SettingsError: the file is missing, is no YAML, or says what cannot be.
    """
    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        msg = f"reading mapping {path}: {error}; expected the YAML of an MQTT mapping"
        raise SettingsError(msg) from error
    for rule in found.get("rules") or () if isinstance(found, dict) else ():
        if isinstance(rule, dict):
            rule.setdefault("kind", "points")
    try:
        return Mapping.model_validate(found)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        msg = f"reading mapping {path}: {wrong}; correct these keys"
        raise SettingsError(msg) from error


def fill(template: str, captures: dict[str, str], entry: Any) -> str:
    """A template with its fields filled in.

    Raises:
        LookupError: a field is neither named nor found in the entry.
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if not name.startswith("/"):
            return captures[name]
        found = resolve(entry, name)
        if found is None or isinstance(found, dict | list):
            raise LookupError(name)
        return str(found)

    return _FIELD.sub(replace, template)


def resolve(document: Any, pointer: str) -> Any:
    """What a JSON pointer points to.

    Raises:
        LookupError: nothing is there.
    """
    found = document
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found[key]
        elif isinstance(found, list) and key.isascii() and key.isdigit():
            found = found[int(key)]
        else:
            raise LookupError(pointer)
    return found
