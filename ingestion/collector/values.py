"""OPC UA values as the two value columns of a point: a number, or a text."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asyncua import ua

from protocols.opcua_time import hundred_ns

if TYPE_CHECKING:
    from collections.abc import Callable


# A double holds every integer up to here; beyond, the exact digits go into the text as well.
EXACT_INTEGERS = 2**53


def split_value(value: Any) -> tuple[float | None, str | None]:
    """A value as (number, text): numbers and booleans left, strings right, all else as JSON text right.

    NaN and infinities stay numbers; no value is neither; an integer beyond `EXACT_INTEGERS` is both.
    """
    if value is None:
        return None, None
    if isinstance(value, bool | int | float):
        is_exact = isinstance(value, float) or abs(value) <= EXACT_INTEGERS
        return float(value), None if is_exact else str(value)
    plain = _plain(value)
    return None, plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no such numbers; OPC UA's own JSON writes these words (Part 6 §5.4.2.4).
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    for kind, text_of in _TEXTS.items():
        if isinstance(value, kind):
            return text_of(value)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _valid_text(text: str) -> str:
    """The text itself, a byte in it that is no UTF-8 as its hex escape: a column takes no other."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return text


def _instant_text(at: datetime) -> str:
    digit = hundred_ns(at)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}{digit}+00:00" if digit else at.isoformat()


_TEXTS: dict[type, Callable[[Any], str | None]] = {
    str: _valid_text,
    Enum: lambda value: str(value.name),
    ua.LocalizedText: lambda value: None if value.Text is None else _valid_text(value.Text),
    datetime: _instant_text,
    bytes: lambda value: base64.b64encode(value).decode(),
    UUID: str,
    ua.NodeId: lambda value: _valid_text(value.to_string()),
}
