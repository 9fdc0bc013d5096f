"""YAML with line numbers: what a file says, and on which line it says it.

Nothing here knows what a contract is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from contracts.errors import Fault

# The C parser is ten times as fast; a site reads some thousand lines of YAML at every start.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[str | int, ...]


@dataclass
class Document:
    """A parsed YAML file; `line(place)` finds where a value stands."""

    path: Path
    content: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int | None:
        """The line of the value at `place`, or of its nearest parent that is there."""
        for length in range(len(place), -1, -1):
            found = self.lines.get(place[:length])
            if found is not None:
                return found
        return None

    def fault(self, place: Place, message: str) -> Fault:
        """A fault of this file at `place`."""
        return Fault(self.path, self.line(place), message)


def read_document(path: Path) -> tuple[Document | None, list[Fault]]:
    """Parse a YAML file whose top is a mapping.

    Returns:
        The document, or None where nothing usable was read; and the faults: unreadable file, bad YAML, a key
        written twice (YAML would silently keep the last).
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=_Loader)
        content = SafeConstructor().construct_document(root) if root is not None else None
    except OSError as error:
        return None, [
            Fault(path, None, f"cannot be read ({error.strerror}); check that it exists and is readable")
        ]
    except UnicodeDecodeError as error:
        return None, [Fault(path, None, f"is not UTF-8 (byte {error.start}); save it as UTF-8")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return None, [Fault(path, mark.line + 1 if mark else None, f"is not valid YAML: {problem}")]
    if not isinstance(content, dict) or root is None:
        return None, [Fault(path, 1, f"expected a mapping at the top, found {type(content).__name__}")]
    document = Document(path, content)
    faults: list[Fault] = []
    _note_lines(root, (), document, faults)
    return document, faults


def _note_lines(node: yaml.Node, place: Place, document: Document, faults: list[Fault]) -> None:
    document.lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*place, index), document, faults)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                line = key.start_mark.line + 1
                faults.append(Fault(document.path, line, f"key {name!r} is written twice; keep one"))
            seen.add(name)
            _note_lines(value, (*place, name), document, faults)
