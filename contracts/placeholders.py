"""Words that `chemlink contract new` leaves for a person to replace; till then each is a fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.documents import Document, Place
from contracts.errors import Fault

ENGLISH = "TODO"
CHINESE = "待填"


def is_placeholder(value: object) -> bool:
    """Whether a text is still what the scaffold wrote."""
    return isinstance(value, str) and value.startswith((ENGLISH, CHINESE))


def placeholder_faults(document: Document) -> list[Fault]:
    """One fault for each text of the document that nobody has written yet."""
    return [
        document.fault(place, f"{_said(place)}: still a placeholder ({value!r}); write what is meant 请填写")
        for place, value in _texts(document.content, ())
        if is_placeholder(value)
    ]


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*place, str(key)))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*place, index))
    else:
        yield place, value


def _said(place: Place) -> str:
    """The names along the way; positions in lists tell a reader nothing."""
    return ".".join(step for step in place if isinstance(step, str))
