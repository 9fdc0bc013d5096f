"""One process at a time over a collector's folder: the collector, or an operator's order to send again."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_NAME = ".lock"


class AlreadyRunningError(RuntimeError):
    """Another process holds the collector's folder."""


@contextmanager
def hold_state(state_dir: Path, doing: str) -> Iterator[None]:
    """Hold the collector's folder while the block runs.

    Args:
        state_dir: the collector's folder.
        doing: what needs it, for the message.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = (
                f"{doing}: another holds {lock.name}; end that collector first "
                "(two at once would write the same streams), then try again"
            )
            raise AlreadyRunningError(msg) from error
        yield
