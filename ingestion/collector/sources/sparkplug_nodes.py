"""What is known of Sparkplug edge nodes: births, deaths and numbers, kept over restarts.

A birth says what a number in later messages means, so it is written durably before the broker is told that it
was received. The numbers of the messages told of are written with each turn; after a power cut they may be
behind, which at worst tells of a gap that is none.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from protocols.sparkplug import Metric, Payload

FILE_NAME = "sparkplug_nodes.json"
POSITIONS_NAME = "sparkplug_positions.json"
NODE = ""
SEQUENCES = 256


@dataclass
class Birth:
    """The metrics of a node or of one of its devices: data type by name, name by alias."""

    datatypes: dict[str, int] = field(default_factory=dict)
    aliases: dict[int, str] = field(default_factory=dict)
    is_alive: bool = True


@dataclass
class EdgeNode:
    """One edge node; `births` by device id, the node's own under `NODE`."""

    bd_seq: int | None = None
    births: dict[str, Birth] = field(default_factory=dict)
    last_seq: int | None = None
    last_ms: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether the node was born and has not died since."""
        return NODE in self.births and self.births[NODE].is_alive


class EdgeNodes:
    """All edge nodes by `group/node`, in memory and on disk.

    Args:
        directory: the system's folder.
    """

    def __init__(self, directory: Path) -> None:
        self._births_path = directory / FILE_NAME
        self._positions_path = directory / POSITIONS_NAME
        self._nodes: dict[str, EdgeNode] = {}
        self._is_born = self._has_moved = False
        self._load()

    def __getitem__(self, name: str) -> EdgeNode:
        return self._nodes.setdefault(name, EdgeNode())

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def bear(self, node: str, device: str, payload: Payload) -> Birth:
        """Take a birth: of a node, which ends what is known of its devices, or of a device."""
        found = self[node]
        birth = Birth()
        for metric in payload.metrics:
            if metric.name is None:
                continue
            birth.datatypes[metric.name] = metric.datatype or 0
            if metric.alias is not None:
                birth.aliases[metric.alias] = metric.name
        if device == NODE:
            for known in found.births.values():
                known.is_alive = False
            found.bd_seq = bd_seq(payload)
        found.births[device] = birth
        self._is_born = True
        return birth

    def bury(self, node: str, device: str | None) -> list[tuple[str, str]]:
        """Take a death; None means the node with all its devices. Which (device, metric) were alive."""
        found = self[node]
        died = []
        for name, birth in found.births.items():
            if birth.is_alive and device in (None, name):
                birth.is_alive = False
                died += [(name, metric) for metric in birth.datatypes]
        self._is_born = self._is_born or bool(died)
        return died

    def advance(self, node: str, seq: int | None, sent_ms: int) -> None:
        """Note the last message of a node."""
        found = self[node]
        found.last_seq = found.last_seq if seq is None else seq
        found.last_ms = max(found.last_ms, sent_ms)
        self._has_moved = True

    def save(self) -> None:
        """Write what has changed: births durably, positions whole."""
        if self._is_born:
            content = {name: _births(node) for name, node in self._nodes.items()}
            write_durably(self._births_path, json.dumps(content, ensure_ascii=False).encode())
            self._is_born = False
        if self._has_moved:
            positions = {name: [node.last_seq, node.last_ms] for name, node in self._nodes.items()}
            temporary = self._positions_path.with_suffix(".tmp")
            temporary.write_text(json.dumps(positions), encoding="utf-8")
            temporary.replace(self._positions_path)
            self._has_moved = False

    def _load(self) -> None:
        for name, node in _read(self._births_path).items():
            found = self[name]
            found.bd_seq = node["bd_seq"]
            for device, birth in node["births"].items():
                aliases = {int(alias): metric for alias, metric in birth["aliases"].items()}
                found.births[device] = Birth(birth["datatypes"], aliases, birth["is_alive"])
        for name, (seq, sent_ms) in _read(self._positions_path).items():
            self[name].last_seq, self[name].last_ms = seq, sent_ms


def name_of(birth: Birth | None, metric: Metric) -> str | None:
    """A metric's name, by itself or by its alias."""
    if metric.name is not None or birth is None or metric.alias is None:
        return metric.name
    return birth.aliases.get(metric.alias)


def bd_seq(payload: Payload) -> int | None:
    """The number that ties a death to its birth."""
    metric = payload.metric("bdSeq")
    value = None if metric is None else metric.value(None)
    return value if isinstance(value, int) else None


def _births(node: EdgeNode) -> dict[str, Any]:
    return {"bd_seq": node.bd_seq, "births": {name: asdict(birth) for name, birth in node.births.items()}}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}  # never written, or torn by a power cut: the next birth tells all of it again
    return found if isinstance(found, dict) else {}
