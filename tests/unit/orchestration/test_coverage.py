"""The coverage register may claim only what exists."""

from __future__ import annotations

import pytest

from orchestration.coverage import REGISTER, CoverageError, missing_names, read_register

ENTRY = """\
- clause: "6"
  title: {zh: 联接总图, en: One graph}
  status: done
  assets: [raw/a]
  tests: ["tests/unit/orchestration/test_coverage.py::test_a_claim_names_what_is_missing"]
"""


def write(tmp_path, text):
    path = tmp_path / "coverage.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_claim_names_what_is_missing(tmp_path):
    entries = read_register(write(tmp_path, ENTRY))
    assert missing_names(entries, {"raw/a"}) == []
    assert missing_names(entries, set()) == ["clause 6: no asset 'raw/a'"]
    wrong = ENTRY.replace("::test_a_claim_names_what_is_missing", "::test_that_nobody_wrote")
    [fault] = missing_names(read_register(write(tmp_path, wrong)), {"raw/a"})
    assert "test_that_nobody_wrote" in fault


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  assets: [raw/a]\n", "", "name an asset and a test"),
        ("status: done", "status: finished", "status"),
        (", en: One graph", "", "title.en"),
        ("  status", "  colour: red\n  status", "colour"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, old, new, named):
    with pytest.raises(CoverageError, match=named):
        read_register(write(tmp_path, ENTRY.replace(old, new)))


def test_a_clause_stands_once(tmp_path):
    with pytest.raises(CoverageError, match="stand twice: 6"):
        read_register(write(tmp_path, ENTRY * 2))


def test_the_register_of_the_repository_is_read_and_open_rows_claim_nothing():
    entries = read_register(REGISTER)
    assert {"6", "7.1.3", "10.3"} <= {entry.clause for entry in entries}
    assert any(entry.status == "open" and not entry.assets for entry in entries)
