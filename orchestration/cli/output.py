"""How commands print: tables for people, JSON for scripts, errors that explain themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NoReturn

import typer

from orchestration.cli.exits import ExitCode


def say(text: str) -> None:
    """One line for a person."""
    typer.echo(text)


def print_json(value: Any) -> None:
    """One JSON document, Chinese as itself, instants as ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Rows under headings, as wide as the terminal; long cells wrap."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console().print(table)


def fail(message: str, code: ExitCode = ExitCode.FAILURE) -> NoReturn:
    """Print `message` to standard error and end with `code`."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value)
