"""Walking a server's address space: every variable below a node, once, in calls that the server takes.

Follows hierarchical references (OPC UA Part 4 §5.9). Loops end because a node is entered once; a server that
pages for ever is left after pages that bring nothing new. Not followed: references to other servers, and the
`Server` object, whose variables are about the server and not about the plant.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asyncua import ua

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ingestion.collector.session import Session

DEPTH_LIMIT = 25
_PAGE = 1000
_FRUITLESS_PAGES = 3
_LEFT_OUT = {ua.NodeId(ua.ObjectIds.Server)}
_TOO_MUCH = {ua.StatusCodes.BadTooManyOperations, ua.StatusCodes.BadEncodingLimitsExceeded}


@dataclass(frozen=True)
class Variable:
    """A variable and how one gets to it.

    Attributes:
        node_id: with this session's namespace index.
        path: browse names from below the root to the variable itself.
        properties: its properties of the standard namespace, by browse name.
    """

    node_id: ua.NodeId
    path: tuple[str, ...]
    properties: dict[str, ua.NodeId] = field(default_factory=dict)


@dataclass
class AddressSpace:
    """What was found below a node.

    Attributes:
        nodes: how many nodes were entered.
        unreadable: nodes that the server would not list, with its reason.
        too_deep: nodes that were not entered because they lie deeper than the limit.
    """

    variables: list[Variable] = field(default_factory=list)
    nodes: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)
    too_deep: int = 0


@dataclass(frozen=True)
class _Place:
    node_id: ua.NodeId
    path: tuple[str, ...]
    variable: Variable | None


class Browser:
    """Walks the address space of one session.

    Args:
        session: an open session.
        on_progress: told after each call how many nodes were entered and how many variables found.
        depth_limit: levels below the root that are entered.
    """

    def __init__(
        self,
        session: Session,
        *,
        on_progress: Callable[[int, int], None] = lambda _nodes, _variables: None,
        depth_limit: int = DEPTH_LIMIT,
    ) -> None:
        self._session = session.client.uaclient.session
        self._namespaces = session.namespaces
        self._at_once = session.limits.nodes_per_browse
        self._on_progress, self._depth_limit = on_progress, depth_limit
        self._entered: set[ua.NodeId] = set()
        self._space = AddressSpace()

    async def walk(self, root: ua.NodeId) -> AddressSpace:
        """Everything below `root`, level by level.

        Raises:
            OSError, TimeoutError: the session failed.
            ua.UaStatusCodeError: the server does not browse at all.
        """
        self._entered = {root} | (_LEFT_OUT - {root})
        level = [_Place(root, (), None)]
        for _ in range(self._depth_limit):
            if not level:
                return self._space
            level = await self._enter(level)
        self._space.too_deep = len(level)
        return self._space

    async def _enter(self, level: Sequence[_Place]) -> list[_Place]:
        below: list[_Place] = []
        waiting = list(level)
        while waiting:
            part, waiting = waiting[: self._at_once], waiting[self._at_once :]
            try:
                listed, again = await self._list(part)
            except ua.UaStatusCodeError as error:
                if error.code not in _TOO_MUCH or self._at_once == 1:
                    raise
                self._at_once = max(1, self._at_once // 2)
                waiting = [*part, *waiting]
                continue
            for place, references in listed:
                below += self._take(place, references)
            for place in again:  # the server ran out of continuation points: one node at a time
                ((_, references),), _ = await self._list([place], is_last_try=True)
                below += self._take(place, references)
            self._space.nodes += len(part)
            self._on_progress(self._space.nodes, len(self._space.variables))
        return below

    async def _list(
        self, places: Sequence[_Place], *, is_last_try: bool = False
    ) -> tuple[list[tuple[_Place, list[ua.ReferenceDescription]]], list[_Place]]:
        """The references of nodes, page after page; and the nodes to be asked again alone."""
        parameters = ua.BrowseParameters()
        parameters.RequestedMaxReferencesPerNode = _PAGE
        parameters.NodesToBrowse = [_description(place.node_id) for place in places]
        results = await self._session.browse(parameters)
        listed, again = [], []
        for place, result in zip(places, results, strict=True):
            code = result.StatusCode.value
            if code == ua.StatusCodes.BadNoContinuationPoints and not is_last_try:
                again.append(place)
                continue
            if not result.StatusCode.is_good():
                self._space.unreadable[place.node_id.to_string()] = result.StatusCode.name
            references = list(result.References or ())
            if result.ContinuationPoint:
                references += await self._next_pages(place, result.ContinuationPoint, references)
            listed.append((place, references))
        return listed, again

    async def _next_pages(
        self, place: _Place, point: bytes, first: Iterable[ua.ReferenceDescription]
    ) -> list[ua.ReferenceDescription]:
        found: list[ua.ReferenceDescription] = []
        seen = {_target(reference) for reference in first}
        fruitless = 0
        while point:
            parameters = ua.BrowseNextParameters()
            parameters.ReleaseContinuationPoints = fruitless >= _FRUITLESS_PAGES
            parameters.ContinuationPoints = [point]
            (result,) = await self._session.browse_next(parameters)
            if parameters.ReleaseContinuationPoints or not result.StatusCode.is_good():
                reason = "pages repeat themselves" if result.StatusCode.is_good() else result.StatusCode.name
                self._space.unreadable[place.node_id.to_string()] = reason
                return found
            new = [reference for reference in result.References or () if _target(reference) not in seen]
            seen |= {_target(reference) for reference in new}
            found += new
            fruitless = 0 if new else fruitless + 1
            point = result.ContinuationPoint
        return found

    def _take(self, place: _Place, references: Iterable[ua.ReferenceDescription]) -> list[_Place]:
        """Keep variables and properties among the references; the nodes to enter next."""
        below = []
        for reference in references:
            node_id = self._local(reference.NodeId)
            if node_id is None:
                continue
            if reference.ReferenceTypeId == ua.NodeId(ua.ObjectIds.HasProperty):
                if place.variable is not None:
                    place.variable.properties.setdefault(reference.BrowseName.Name, node_id)
                continue
            if node_id in self._entered:
                continue
            self._entered.add(node_id)
            path = (*place.path, reference.BrowseName.Name or str(node_id.Identifier))
            variable = Variable(node_id, path) if reference.NodeClass == ua.NodeClass.Variable else None
            if variable is not None:
                self._space.variables.append(variable)
            below.append(_Place(node_id, path, variable))
        return below

    def _local(self, target: ua.NodeId) -> ua.NodeId | None:
        """The node on this server; none where it lies on another."""
        if getattr(target, "ServerIndex", 0):
            return None
        uri = getattr(target, "NamespaceUri", None)
        if uri and uri not in self._namespaces:
            return None
        index = self._namespaces.index(uri) if uri else target.NamespaceIndex
        return ua.NodeId(target.Identifier, index, _plain_type(target))


def _plain_type(target: ua.NodeId) -> ua.NodeIdType | None:
    """String, GUID and bytes keep their type; a number's length on the wire is no part of its identity."""
    kinds = (ua.NodeIdType.String, ua.NodeIdType.Guid, ua.NodeIdType.ByteString)
    return target.NodeIdType if target.NodeIdType in kinds else None


def _target(reference: ua.ReferenceDescription) -> tuple[str, str]:
    return reference.ReferenceTypeId.to_string(), reference.NodeId.to_string()


def _description(node_id: ua.NodeId) -> ua.BrowseDescription:
    description = ua.BrowseDescription()
    description.NodeId = node_id
    description.BrowseDirection = ua.BrowseDirection.Forward
    description.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HierarchicalReferences)
    description.IncludeSubtypes = True
    description.NodeClassMask = ua.NodeClass.Object | ua.NodeClass.Variable
    description.ResultMask = ua.BrowseResultMask.All
    return description
