"""Subscriptions that publish into our session and are none of ours.

A process that was killed leaves them behind in the session that the next one resumes; the server would go on
filling Publish requests with what nobody takes.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from asyncua import ua

if TYPE_CHECKING:
    from collections.abc import Container

    from asyncua import Client

# How long a subscription may be unknown before it counts as left behind by somebody else.
STRANGER_S = 2.0
_log = logging.getLogger(__name__)


class Strangers:
    """Notes subscriptions nobody here knows, and deletes those that stay unknown.

    Args:
        client: a connected client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._since: dict[int, float] = {}

    def note(self, subscription_id: int) -> None:
        """Something came of a subscription that is not known, or not yet."""
        self._since.setdefault(subscription_id, time.monotonic())

    async def delete(self, known: Container[int]) -> None:
        """Delete those unknown for long enough; what the server says of it is only logged."""
        old = time.monotonic() - STRANGER_S
        gone = [number for number, at in self._since.items() if at < old and number not in known]
        if not gone:
            return
        _log.info("deleting subscriptions %s, which are none of ours", gone)
        try:
            await self._client.uaclient.session.delete_subscriptions(gone)
        except ua.UaError as error:
            _log.info("deleting subscriptions %s: %s", gone, error)
        self._since = {}
