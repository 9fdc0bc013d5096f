"""A set of redundant servers: which of them to read (OPC UA Part 4 §6.6.2.4, non-transparent redundancy).

Each says by its ServiceLevel, 0 to 255, how good its data is; below 200 it is degraded, 1 is no data, 0 is
maintenance. The best one is read; it is left only for one that is clearly better, so that two equal ones do
not take turns.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from asyncua import Client, ua

from ingestion.collector.session import secure
from ingestion.collector.trust import TrustError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingestion.collector.session import Session
    from ingestion.collector.settings import CollectorSettings, ServerSettings

HEALTHY = 200
UNKNOWN = 255  # a server that states no level is taken as good
ASK_TIMEOUT_S = 5.0
_LEVEL = ua.NodeId(ua.ObjectIds.Server_ServiceLevel)
_log = logging.getLogger(__name__)


def better_than(levels: Mapping[str, int | None], current: str) -> str | None:
    """The server to leave `current` for, none to stay; levels are by address, none for one not reached."""
    level = levels.get(current)
    best = max(levels, key=lambda url: -1 if levels[url] is None else int(levels[url] or 0), default=current)
    highest = levels.get(best)
    if best == current or highest is None:
        return None
    if level is None:
        return best
    is_clear = (highest >= HEALTHY > level) or (level < HEALTHY and highest > level)
    return best if is_clear else None


class ServerSet:
    """The addresses of one system's servers, and how each is.

    Args:
        server: the set; its order is the preference among equals.
        settings: own keys and patience.
    """

    def __init__(self, server: ServerSettings, settings: CollectorSettings) -> None:
        self._server = server
        self._settings = settings
        self._failed: list[str] = []
        self.levels: dict[str, int | None] = {}

    @property
    def is_single(self) -> bool:
        """Whether there is nothing to choose."""
        return len(self._server.urls) == 1

    async def choose(self) -> str:
        """The address to connect to: the best level of those that answer, else the next in turn."""
        urls = self._server.urls
        if self.is_single:
            return urls[0]
        await self._ask_all(urls)
        reached = [url for url in urls if self.levels.get(url) is not None]
        fresh = [url for url in reached if url not in self._failed] or reached
        if not fresh:
            turn = [url for url in urls if url not in self._failed]
            if not turn:
                self._failed.clear()
            return (turn or list(urls))[0]
        return max(fresh, key=lambda url: (self.levels[url] or 0, -urls.index(url)))

    async def is_reached(self) -> bool:
        """Whether one of the servers gives us a session."""
        return any(level is not None for level in await asyncio.gather(*map(self._ask, self._server.urls)))

    def failed(self, url: str) -> None:
        """A connection to an address failed: another goes before it next time."""
        if url not in self._failed:
            self._failed.append(url)

    def connected(self, url: str) -> None:
        """A connection stands."""
        if url in self._failed:
            self._failed.remove(url)

    async def watch(self, session: Session) -> str:
        """Return once another server is clearly better than the one of this session; its address."""
        while True:
            await asyncio.sleep(self._settings.service_level_every_s)
            self.levels[session.url] = await _level(session.client)
            if self.is_single:
                continue
            await self._ask_all([url for url in self._server.urls if url != session.url])
            best = better_than(self.levels, session.url)
            if best is not None:
                return best

    async def _ask_all(self, urls: tuple[str, ...] | list[str]) -> None:
        levels = await asyncio.gather(*(self._ask(url) for url in urls))
        self.levels.update(zip(urls, levels, strict=True))

    async def _ask(self, url: str) -> int | None:
        """The level of a server that is not connected, by a short session; none when it does not answer."""
        client = Client(url, timeout=ASK_TIMEOUT_S)
        client.name = client.description = f"chemlink collector {self._settings.collector_id} (service level)"
        try:
            async with asyncio.timeout(2 * ASK_TIMEOUT_S):
                await secure(client, self._server, self._settings, url)
                async with client:
                    return await _level(client)
        except (OSError, TimeoutError, ua.UaError, TrustError) as error:
            _log.info("%s: service level of %s: %r", self._server.system_id, url, error)
            return None


async def _level(client: Client) -> int:
    (value,) = await client.uaclient.session.read_attributes([_LEVEL], ua.AttributeIds.Value)
    content = None if value.Value is None else value.Value.Value
    return content if isinstance(content, int) else UNKNOWN
