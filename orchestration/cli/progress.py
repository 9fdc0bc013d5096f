"""A progress line for long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def phase_progress(*, enabled: bool) -> Iterator[Callable[[str], None]]:
    """A function to call with the name of each phase as it begins; shows a spinner and the elapsed time."""
    if not enabled:
        yield lambda _phase: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting 启动", total=None)
        yield lambda phase: progress.update(task, description=phase)
