"""Many short writes in few transactions: each returns when the commit that holds it is durable.

A commit waits for the disk; what arrives meanwhile goes into the next one together. If one write of a group
fails, none of the group is stored and all of its writers see the error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from lake.state import StateStore

Write = Callable[[Connection], object]


class GroupCommit:
    """Collects the writes of one event loop.

    Args:
        state: where they go.
    """

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._waiting: list[Write] = []
        self._turn: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self, write: Write) -> None:
        """Do `write` in a transaction, together with others; returns once it is committed."""
        self._waiting.append(write)
        if self._turn is None:
            self._turn = asyncio.create_task(self._commit_waiting())
        await asyncio.shield(self._turn)  # a writer that is cancelled does not undo the others

    async def _commit_waiting(self) -> None:
        async with self._one_at_a_time:
            writes, self._waiting, self._turn = self._waiting, [], None
            await asyncio.to_thread(self._commit, writes)

    def _commit(self, writes: Sequence[Write]) -> None:
        with self._state.begin() as conn:
            for write in writes:
                write(conn)
