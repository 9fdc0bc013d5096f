"""Leases: at most one process at a time does a thing, such as landing a stream.

A lease is a lock on a file held by the operating system, which releases it when the process dies, however it
dies. So nobody ever has to break a stale lease. It holds between processes of one machine.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake.errors import LeaseHeldError


@contextmanager
def hold_lease(folder: Path, name: str) -> Iterator[None]:
    """Hold the named lease for the duration of the block.

    Args:
        folder: where the lock files lie, on a local disk.
        name: what the lease is for; letters, digits, `.`, `_`, `-` and `#`.

    Raises:
        LeaseHeldError: another process, or another block of this one, holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, file)
        # The file stays after release: removing it would let two processes lock two files of one name.
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = file.read_text(encoding="ascii").strip()
        msg = (
            f"lease {file.stem}: process {holder or 'unknown'} holds it, expected it free; stop that process "
            "or leave the work to it"
        )
        raise LeaseHeldError(msg) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
