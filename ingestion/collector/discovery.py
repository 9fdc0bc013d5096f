"""One look at a server: walk its address space, read what it says of each variable, propose a tag table."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from asyncua import ua

from ingestion.collector.browsing import DEPTH_LIMIT, Browser
from ingestion.collector.node_facts import FactsReader
from ingestion.collector.proposal import Proposal, propose, read_rows
from ingestion.collector.session import open_session
from ingestion.collector.settings import SettingsError
from protocols import opcua_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingestion.collector.settings import CollectorSettings, ServerSettings


class Progress(Protocol):
    """Told how far a look has come."""

    def browsed(self, nodes: int, variables: int) -> None:
        """So many nodes were entered, and so many variables found."""

    def read(self, variables: int, total: int) -> None:
        """So many variables of the total were read."""


@dataclass(frozen=True)
class Discovery:
    """What a look found.

    Attributes:
        nodes: nodes entered.
        variables: variables found.
        closed: variables that may be read neither now nor in history, which are left out.
        unreadable: nodes the server would not list, with its reason.
        too_deep: nodes below the depth limit.
    """

    system_id: str
    url: str
    nodes: int
    variables: int
    closed: int
    proposal: Proposal
    unreadable: dict[str, str] = field(default_factory=dict)
    too_deep: int = 0


def server_of(settings: CollectorSettings, system_id: str) -> ServerSettings:
    """The server of a system.

    Raises:
        SettingsError: no server has that id; the message lists those there are.
    """
    for server in settings.servers:
        if server.system_id == system_id:
            return server
    names = ", ".join(server.system_id for server in settings.servers)
    msg = f"no server of collector.yml has system_id {system_id!r}; there are: {names}"
    raise SettingsError(msg)


async def discover(
    settings: CollectorSettings,
    server: ServerSettings,
    base: Path,
    progress: Progress,
    *,
    root: str | None = None,
    depth_limit: int = DEPTH_LIMIT,
) -> Discovery:
    """Look at a server and propose its tag table.

    Args:
        settings: own keys and patience.
        server: the one to look at; the first of its addresses is asked.
        base: the table that stands, if any.
        progress: told how far it has come.
        root: where to begin, `nsu=…;s=…` or `ns=…;i=…`; the Objects folder without it.
        depth_limit: levels below the root that are entered.

    Raises:
        TrustError: the server's certificate is not trusted.
        SettingsError: the root is no node id of this server.
        OSError, TimeoutError, ua.UaError: it cannot be reached, or refuses.
    """
    opcua_time.install()
    columns, existing = read_rows(base)
    with tempfile.TemporaryDirectory() as folder:  # a running collector's session is none of ours
        token = Path(folder) / "session.json"
        async with open_session(server, settings, server.url, token) as session:
            start = _root(root, session.namespaces)
            space = await Browser(session, on_progress=progress.browsed, depth_limit=depth_limit).walk(start)
            total = len(space.variables)
            reader = FactsReader(session, lambda done: progress.read(done, total))
            facts = await reader.read(space.variables)
            namespaces = session.namespaces
    open_facts = [one for one in facts if one.is_readable or one.has_history]
    is_whole = root is None and not space.unreadable and not space.too_deep
    return Discovery(
        system_id=server.system_id,
        url=server.url,
        nodes=space.nodes,
        variables=total,
        closed=total - len(open_facts),
        proposal=propose(open_facts, namespaces, columns, existing, is_whole=is_whole),
        unreadable=space.unreadable,
        too_deep=space.too_deep,
    )


def _root(text: str | None, namespaces: Sequence[str]) -> ua.NodeId:
    if text is None:
        return ua.NodeId(ua.ObjectIds.ObjectsFolder)
    plain = text
    if text.startswith("nsu="):
        uri, _, rest = text.removeprefix("nsu=").partition(";")
        if uri not in namespaces:
            msg = f"root {text}: the server has no namespace {uri}; it has {list(namespaces)}"
            raise SettingsError(msg)
        plain = f"ns={list(namespaces).index(uri)};{rest}"
    try:
        return ua.NodeId.from_string(plain)
    except (ValueError, ua.UaError) as error:
        msg = f"root {text!r} is no node id; expected nsu=<namespace uri>;s=<name> or i=<number>"
        raise SettingsError(msg) from error
