"""Every `chemlink` command that the docs name exists, with the options and arguments they give it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from orchestration.cli import app

ROOT = Path(__file__).parents[3]
PLACES = ("README*.md", "docs/guide/*/*.md", "orchestration/site_template/**/*.md")
PAGES = sorted(page for place in PLACES for page in ROOT.glob(place))
_IN_TEXT = re.compile(r"`chemlink ([a-z][^`]*)`")
_IN_BLOCK = re.compile(r"^(?:.*&& )?chemlink ([a-z](?:[^\"\n#&]|\"[^\"]*\")*)", re.MULTILINE)

# Commands that running text names without what they must be given.
_NAMED_ALONE = {
    "keys": ["--config", "c.yml"],
    "collect": ["--config", "c.yml"],
    "collect check": ["--config", "c.yml"],
    "collect discover": ["--config", "c.yml", "--server", "a"],
    "collect trust list": ["--config", "c.yml"],
    "collect trust accept": ["--config", "c.yml", "ffffffff"],
    "resend": ["--config", "c.yml", "--stream", "a.points", "--from", "1", "--to", "2"],
    "sql": ["select 1"],
    "verify": ["key"],
    "init": ["folder"],
}


def named_commands(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return _IN_TEXT.findall(text) + [line for block in blocks for line in _IN_BLOCK.findall(block)]


def parse(words: list[str]) -> None:
    """Let click parse the words and run nothing.

    Raises:
        Exception: no such command, or not these options and arguments.
    """
    command, info = typer.main.get_command(app), None
    # A group may do something by itself, when options follow it at once.
    while hasattr(command, "commands") and not (info and words and words[0].startswith("-")):
        info = type(command).context_class(command, parent=info, info_name="chemlink")
        name, found, words = command.resolve_command(info, words)
        assert found is not None, name
        command = found
    command.make_context(command.name, words, parent=info)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_a_page_names_can_be_given_so(page):
    faults = []
    for line in named_commands(page.read_text(encoding="utf-8")):
        words = shlex.split(line)
        try:
            parse(words + _NAMED_ALONE.get(" ".join(words), []))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, told beside the command
            faults.append(f"chemlink {line}: {error}")
    assert not faults, "\n".join(faults)


def test_the_guides_name_enough_commands_to_be_worth_checking():
    found = [line for page in PAGES for line in named_commands(page.read_text(encoding="utf-8"))]
    assert len(found) > 60
    assert {
        "up",
        "down",
        "status",
        "doctor",
        "findings",
        "ledger",
        "verify",
        "sql",
        "run",
        "resend",
        "keys",
    } <= {line.split()[0] for line in found}
    with pytest.raises(Exception, match="No such option"):
        parse(["doctor", "--outlet", "DA001"])
