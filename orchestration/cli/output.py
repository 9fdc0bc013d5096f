"""How commands print: tables for people, JSON for scripts, errors that explain themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

import typer

from orchestration.cli.exits import ExitCode

_PIPE_WIDTH = 240


def say(text: str) -> None:
    """One line for a person."""
    typer.echo(text)


def print_json(value: Any) -> None:
    """One JSON document, Chinese as itself, instants as ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Rows under headings. Nothing is cut: long cells wrap in a terminal, and a pipe gets all the width."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console = Console()
    console.print(table) if console.is_terminal else Console(width=_PIPE_WIDTH).print(table)


def fail(message: str, code: ExitCode = ExitCode.FAILURE) -> NoReturn:
    """Print `message` to standard error and end with `code`."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell in one message, and as wrong usage, that `path` cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        fail(
            f"chemlink: writing {path}: {reason}; give a path in a folder that exists and may be written to "
            "无法写入，请换用已存在且可写的目录",
            ExitCode.USAGE,
        )


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value)
