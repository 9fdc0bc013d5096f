"""The house rules that a linter does not know: sizes, names, docstrings, addresses."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "lake",
    "contracts",
    "protocols",
    "ingestion",
    "transforms",
    "quality_checks",
    "exports",
    "orchestration",
    "reference_plant",
)
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 40
VAGUE_NAMES = {"utils", "helpers", "common", "misc", "base", "util", "helper"}
ALLOWED_VAGUE = {ROOT / "exports" / "transports" / "base.py"}


def module_id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body without its docstring: explaining is never punished."""
    body = node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE, (
        f"{module_id(path)} is longer than {LONGEST_MODULE} lines"
    )
    long = [
        f"{node.name} ({code_lines(node)})"
        for node in functions(ast.parse(text))
        if code_lines(node) > LONGEST_FUNCTION
    ]
    assert not long, f"{module_id(path)}: functions longer than {LONGEST_FUNCTION} lines: {', '.join(long)}"


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_modules_are_named_for_one_idea(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES or path in ALLOWED_VAGUE, f"{module_id(path)}: name the idea it holds"


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_public_names_have_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{module_id(path)} has no module docstring"
    bare = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not bare, f"{module_id(path)}: no docstring on {', '.join(bare)}"


def tracked_text() -> Iterator[tuple[str, str]]:
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    for name in names:
        path = ROOT / name
        if path.suffix in {".png", ".xlsx", ".parquet", ".duckdb"} or not path.is_file():
            continue
        yield name, path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    # Each needle is split so that this file does not match itself.
    needles = [
        "/work" + "/",
        "/farm" + "/",
        "/tmp/bash" + "_jobs",
        "/root" + "/",
        "pypi" + ".org",
        "pythonhosted" + ".org",
    ]
    needles += ["registry.npm" + "js", "deb.debian" + ".org", "maven" + ".org"]
    found = [f"{name}: {needle}" for name, text in tracked_text() for needle in needles if needle in text]
    assert not found, f"addresses and machine paths do not belong in the repository: {found}"


def test_lock_files_hold_hashes_and_no_addresses() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.lock")):
        text = lock.read_text(encoding="utf-8")
        pinned = re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, flags=re.MULTILINE)
        assert pinned, f"{lock.name} pins nothing"
        assert "://" not in text, f"{lock.name} holds an address"
        assert text.count("--hash=sha256:") >= len(pinned), f"{lock.name} has a pin without a hash"


def test_import_rules_hold() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    ran = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:]
