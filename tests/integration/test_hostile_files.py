"""Broken, hostile and odd files: the intake neither crashes nor stalls, good rows land, nothing executes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.file_site import FileSite, make_file_site
from tests.fakes.hostile_files import hostile_files

ROOT = Path(__file__).parents[2]
CPU_SECONDS, REAL_SECONDS = 120, 300  # far beyond what is needed: a file that stalls ends the child
MEMORY_BYTES = 6 * 1024**3  # address space, most of it never touched; what is resident is judged below
MOST_RESIDENT_KIB = 1024 * 1024
TAKE_IN = """
import json, resource, sys
from pathlib import Path
import pytest

from tests.fakes.file_site import reopened
report = reopened(Path(sys.argv[1])).take_in()
print(json.dumps([report.rows_upserted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def confined() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def taken_in_by_a_child(site: FileSite) -> tuple[int, int]:
    """Rows landed and KiB resident, by a process of its own with bounded time and memory."""
    ran = subprocess.run(
        [sys.executable, "-c", TAKE_IN, str(site.context.site_dir)],
        cwd=ROOT,
        preexec_fn=confined,
        capture_output=True,
        text=True,
        timeout=REAL_SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "POLARS_MAX_THREADS": "2"},
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    landed, resident = json.loads(ran.stdout.splitlines()[-1])
    return landed, resident


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.full), 5])
def test_hostile_files_neither_crash_nor_stall_the_intake_and_good_rows_land(
    every: int, tmp_path: Path
) -> None:
    site = make_file_site(tmp_path / "site")
    secret = tmp_path / "secret.txt"
    secret.write_text("rosebud", encoding="utf-8")
    files = list(hostile_files(str(secret)))
    assert len(files) >= 60
    files = files[::every]
    for file in files:
        site.drop(file.name, file.content)
    os.mkfifo(site.folder / "inbox" / "pipe.csv")
    (site.folder / "inbox" / "link.csv").symlink_to(secret)
    (site.folder / "inbox" / "folder.csv").mkdir()

    landed, resident = taken_in_by_a_child(site)

    assert resident < MOST_RESIDENT_KIB
    assert landed == sum(file.lands for file in files)
    assert set(site.present()) == {file.ticket for file in files if file.lands}
    aside = Counter(row["file_name"] for row in site.quarantine)
    assert aside == {file.name: file.wrong for file in files if file.wrong}
    whole = {row["file_name"] for row in site.quarantine if row["row_number"] == 0}
    assert whole == {file.name for file in files if file.is_refused}
    for row in site.quarantine:
        assert row["reasons_zh"], row
        assert row["reasons_en"], row
        assert any("\u4e00" <= letter <= "\u9fff" for letter in row["reasons_zh"]), row
        assert row["reasons_zh"] != row["reasons_en"]
    assert sorted(path.name for path in (site.folder / "inbox").iterdir()) == [
        "folder.csv",
        "link.csv",
        "pipe.csv",
    ]
    assert {row["kind"] for row in site.findings.values()} >= {"unreadable_inbox_entry"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.txt", "site"], (
        "something was executed"
    )
    written = b"".join(
        path.read_bytes() for path in (site.folder / "quarantine").iterdir() if path.suffix != ".xml"
    )
    assert b"rosebud" not in written + repr(site.raw()).encode() + repr(site.quarantine).encode()
