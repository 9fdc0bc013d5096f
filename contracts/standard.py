"""Does a document keep to the Open Data Contract Standard v3? Its own JSON Schema and pydantic model decide.

The schema refuses unknown keys, which the pydantic model alone would let pass inside nested objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from typing import Any

from jsonschema import Draft201909Validator
from jsonschema.exceptions import ValidationError
from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError as ModelError

from contracts.documents import Document, Place
from contracts.errors import Fault

_LONGEST_MESSAGE = 240


@lru_cache(maxsize=1)
def _validator() -> Draft201909Validator:
    schema: str = OpenDataContractStandard.json_schema()  # type: ignore[no-untyped-call]
    return Draft201909Validator(json.loads(schema))


def standard_faults(document: Document) -> list[Fault]:
    """Every departure of `document` from the standard, each at its line."""
    return [
        document.fault(tuple(error.absolute_path), _message(error))
        for error in _leaves(_validator().iter_errors(document.content))
    ]


def parse(document: Document) -> tuple[OpenDataContractStandard | None, list[Fault]]:
    """The document as the standard's own model, and the faults of it.

    A faulty document is parsed without what is wrong, so that our own rules can be tried on the rest; None
    is what cannot be read even so.
    """
    try:
        return OpenDataContractStandard(**document.content), []
    except ModelError as error:
        faults = [
            document.fault(tuple(found["loc"]), f"{found['msg']} (found {found['input']!r:.80})")
            for found in error.errors()
        ]
        rest = _without(document.content, [tuple(found["loc"]) for found in error.errors()])
    try:
        return OpenDataContractStandard(**rest), faults
    except ModelError:
        return None, faults


def _without(content: dict[str, Any], places: list[Place]) -> dict[str, Any]:
    """A copy in which the values at these places are missing."""
    rest = deepcopy(content)
    for place in places:
        holder: Any = rest
        for step in place[:-1]:
            holder = holder.get(step) if isinstance(holder, dict) else _item(holder, step)
        if isinstance(holder, dict):
            holder.pop(place[-1], None)
    return rest


def _item(holder: Any, step: str | int) -> Any:
    is_there = isinstance(holder, list) and isinstance(step, int) and step < len(holder)
    return holder[step] if is_there else None


def _leaves(errors: Iterator[ValidationError]) -> Iterator[ValidationError]:
    """Errors of `anyOf` alternatives are told by their innermost causes, which name the actual mistake."""
    for error in errors:
        if error.context:
            yield from _leaves(iter(error.context))
        else:
            yield error


def _message(error: ValidationError) -> str:
    place = ".".join(str(step) for step in error.absolute_path) or "the document"
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    return f"{place}: {message}"
