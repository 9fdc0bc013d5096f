"""Which subscriptions this collector has at a server, on the disk: a killed one's are taken away at once.

A server keeps the subscriptions of a process that was killed for minutes, and counts them against its limit.
The next process takes them over and deletes them before it makes its own. An id means something else once the
server was started anew: then nothing is touched.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from asyncua import ua

from protocols.durable_files import write_durably

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asyncua import Client

FORMAT_VERSION = 1
_START = ua.NodeId(ua.ObjectIds.Server_ServerStatus_StartTime)
_log = logging.getLogger(__name__)


class OwnSubscriptions:
    """The ids of our subscriptions at one server.

    Args:
        path: where they are kept.
        client: connected to the server.
        started: when the server says that it started; none where it does not.
        is_resumed: whether the session is the one of the last connection.
    """

    def __init__(self, path: Path, client: Client, started: str | None, *, is_resumed: bool) -> None:
        self._path, self._client = path, client
        self._started, self._is_resumed = started, is_resumed

    def remember(self, subscription_ids: Sequence[int]) -> None:
        """Keep the ids of all that there are now.

        A disk that refuses is no reason not to collect: what is left behind then ends by itself.
        """
        content = {
            "format_version": FORMAT_VERSION,
            "server_started": self._started,
            "subscription_ids": list(subscription_ids),
        }
        try:
            write_durably(self._path, json.dumps(content).encode())
        except OSError as error:
            _log.warning("keeping the ids of subscriptions in %s: %s", self._path, error)

    async def delete_left_behind(self) -> None:
        """Delete those of an earlier process or session, as far as they are surely ours.

        Raises:
            OSError, TimeoutError: the session failed.
        """
        left = self._left_behind()
        if not left:
            return
        session = self._client.uaclient.session
        try:
            if not self._is_resumed:
                left = await self._taken_over(left)
            if left:
                await session.delete_subscriptions(left)
                _log.info("deleted subscriptions %s of an earlier process or session", left)
        except ua.UaStatusCodeError as error:
            _log.info("deleting subscriptions %s of an earlier session: %s", left, type(error).__name__)
        self.remember(())

    def _left_behind(self) -> list[int]:
        try:
            found = json.loads(self._path.read_bytes())
            started, ids = found["server_started"], [int(number) for number in found["subscription_ids"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.info("reading the ids of earlier subscriptions in %s: %r", self._path, error)
            return []
        # Only a server that never stopped means the same by an id.
        is_same = started == self._started and (started is not None or self._is_resumed)
        return ids if is_same else []

    async def _taken_over(self, left: list[int]) -> list[int]:
        parameters = ua.TransferSubscriptionsParameters()
        parameters.SubscriptionIds = left
        parameters.SendInitialValues = False
        try:
            results = await self._client.uaclient.session.transfer_subscriptions(parameters)
        except ua.UaStatusCodeError as error:
            _log.info("subscriptions of an earlier session cannot be taken over: %s", type(error).__name__)
            return left  # a server without the service may let them be deleted all the same
        return [number for number, found in zip(left, results, strict=False) if found.StatusCode.is_good()]


async def server_started(client: Client) -> str | None:
    """When the server says that it started; none where it does not.

    Raises:
        OSError, TimeoutError: the session failed.
    """
    try:
        (value,) = await client.uaclient.session.read_attributes([_START], ua.AttributeIds.Value)
    except ua.UaError:
        return None
    content = None if value.Value is None else value.Value.Value
    return None if content is None else str(content)
