"""The tag table as a stream: sealed at connect and whenever the table or the server's units change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from asyncua import ua

from ingestion.collector.limits import chunks, read_values
from protocols.points import TAGS
from protocols.segments import manifest_path, read_table, sequences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ingestion.collector.sealing import Sealer
    from ingestion.collector.session import Session
    from ingestion.collector.tag_table import Tag
    from protocols.clock import Clock

_CONTENT = [name for name in TAGS.names if name != "observed_at_utc"]
_log = logging.getLogger(__name__)


class TagStream:
    """Seals a system's whole tag table when anything in it is new.

    Args:
        tags: the plant's tag table.
        sealer: seals it.
        clock: plant time.
        directory: the system's folder, where the last sealed table may still lie.
    """

    def __init__(self, tags: Sequence[Tag], sealer: Sealer, clock: Clock, directory: Path) -> None:
        self._tags = tags
        self._sealer = sealer
        self._clock = clock
        self._last = _last_content(directory, sealer.stream("tags"))

    async def observe(self, properties: Mapping[int, tuple[str | None, ua.Range | None]]) -> bool:
        """Seal the table with what the server says now, if it differs from the last one sealed.

        Args:
            properties: by tag position, the server's unit and range; a tag that has none is left out.
        """
        now = self._clock.now()
        rows = [_row(tag, *properties.get(position, (None, None))) for position, tag in enumerate(self._tags)]
        table = pa.Table.from_pylist([{**row, "observed_at_utc": now} for row in rows], schema=TAGS)
        content = table.select(_CONTENT).sort_by("tag_id")
        if self._last is not None and content.equals(self._last):
            return False
        await self._sealer.seal("tags", table, {})
        self._last = content
        return True


class ServerProperties:
    """Reads EngineeringUnits and EURange of tags over one session; the nodes are looked up once."""

    def __init__(self, session: Session, node_ids: Mapping[int, ua.NodeId]) -> None:
        self._session = session
        self._node_ids = node_ids
        self._found: list[tuple[int, str, ua.NodeId]] | None = None

    async def read(self) -> dict[int, tuple[str | None, ua.Range | None]]:
        """By tag position, the unit's display name and the range, as the server says them now."""
        if self._found is None:
            self._found = await self._look_up()
        if not self._found:
            return {}
        values = await read_values(
            self._session.client, [node_id for _, _, node_id in self._found], self._session.limits
        )
        read: dict[int, tuple[str | None, ua.Range | None]] = {}
        for (position, name, _), content in zip(self._found, values, strict=True):
            unit, limits = read.get(position, (None, None))
            if name == "EngineeringUnits" and isinstance(content, ua.EUInformation):
                unit = content.DisplayName.Text
            elif name == "EURange" and isinstance(content, ua.Range):
                limits = content
            read[position] = (unit, limits)
        return read

    async def _look_up(self) -> list[tuple[int, str, ua.NodeId]]:
        wanted = [(position, name) for position in self._node_ids for name in ("EngineeringUnits", "EURange")]
        paths = [_property_path(self._node_ids[position], name) for position, name in wanted]
        results: list[ua.BrowsePathResult] = []
        for part in chunks(paths, self._session.limits.paths_per_translate):
            session = self._session.client.uaclient.session
            results += await session.translate_browsepaths_to_nodeids(list(part))
        found = []
        for (position, name), result in zip(wanted, results, strict=True):
            if result.StatusCode.is_good() and result.Targets:
                target = result.Targets[0].TargetId
                node_id = ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType)
                found.append((position, name, node_id))
        return found


def _property_path(node_id: ua.NodeId, name: str) -> ua.BrowsePath:
    element = ua.RelativePathElement()
    element.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasProperty)
    element.IsInverse = False  # asyncua defaults it to True
    element.IncludeSubtypes = True
    element.TargetName = ua.QualifiedName(name, 0)
    path = ua.BrowsePath()
    path.StartingNode = node_id
    path.RelativePath.Elements = [element]
    return path


def _row(tag: Tag, unit_on_server: str | None, limits: ua.Range | None) -> dict[str, Any]:
    low, high = (None, None) if limits is None else (float(limits.Low), float(limits.High))
    return {
        "tag_id": tag.tag_id,
        "node_id": tag.node_id,
        "label_zh": tag.label_zh,
        "label_en": tag.label_en,
        "unit": tag.unit,
        "unit_on_server": unit_on_server,
        "range_low": low if tag.range_low is None else tag.range_low,
        "range_high": high if tag.range_high is None else tag.range_high,
        "data_type": tag.data_type,
        "sampling_ms": tag.sampling_ms,
        "area": tag.area,
        "equipment_id": tag.equipment_id,
        "has_history": tag.has_history,
    }


def _last_content(directory: Path, stream: str) -> pa.Table | None:
    sealed = sequences(directory, stream)
    if not sealed:
        return None
    return read_table(manifest_path(directory, stream, sealed[-1])).select(_CONTENT).sort_by("tag_id")
