"""The generated pages say what the declarations say now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.generated import stale_pages

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_no_generated_page_is_stale() -> None:
    assert not stale_pages(), "run `make docs` and commit what changed"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8"))
    broken = [target for target in targets if not (page.parent / target).exists()]
    assert not broken, f"{page.relative_to(ROOT)} links to nothing: {broken}"
