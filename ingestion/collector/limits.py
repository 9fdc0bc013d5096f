"""What a server takes in one call (OPC UA Part 5 §6.3.11, OperationLimits); calls are cut to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from asyncua import ua

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncua import Client

# Taken where the server names no limit: large enough to be fast, small enough for any server.
USUAL = 500
_PREFIX = "Server_ServerCapabilities_OperationLimits_"
Item = TypeVar("Item")


@dataclass(frozen=True)
class ServerLimits:
    """The most a server takes in one call, by service."""

    nodes_per_read: int = USUAL
    items_per_call: int = USUAL
    nodes_per_history_read: int = USUAL
    paths_per_translate: int = USUAL
    nodes_per_method_call: int = USUAL
    nodes_per_browse: int = USUAL


_NODES = {
    "nodes_per_read": "MaxNodesPerRead",
    "items_per_call": "MaxMonitoredItemsPerCall",
    "nodes_per_history_read": "MaxNodesPerHistoryReadData",
    "paths_per_translate": "MaxNodesPerTranslateBrowsePathsToNodeIds",
    "nodes_per_method_call": "MaxNodesPerMethodCall",
    "nodes_per_browse": "MaxNodesPerBrowse",
}


async def read_limits(client: Client) -> ServerLimits:
    """The limits a server states; the usual ones where it states none, or 0 for no limit.

    Raises:
        OSError, TimeoutError: the session failed.
    """
    found: dict[str, int] = {}
    # One by one: a server may take no more than one node a call, and says so only here.
    for name, node in _NODES.items():
        node_id = ua.NodeId(getattr(ua.ObjectIds, _PREFIX + node))
        try:
            (value,) = await client.uaclient.session.read_attributes([node_id], ua.AttributeIds.Value)
        except ua.UaError:
            continue
        limit = _number(value)
        if limit:
            found[name] = min(limit, USUAL)
    return ServerLimits(**found)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """The items in parts of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


async def read_values(client: Client, node_ids: Sequence[ua.NodeId], limits: ServerLimits) -> list[Any]:
    """The values of nodes, None where one cannot be read.

    Raises:
        ua.UaStatusCodeError: the service failed.
    """
    found: list[Any] = []
    for part in chunks(node_ids, limits.nodes_per_read):
        values = await client.uaclient.session.read_attributes(list(part), ua.AttributeIds.Value)
        found += [None if value.Value is None else value.Value.Value for value in values]
    return found


def _number(value: ua.DataValue) -> int:
    content = None if value.Value is None else value.Value.Value
    return content if isinstance(content, int) and content > 0 else 0
