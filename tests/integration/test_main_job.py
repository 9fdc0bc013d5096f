"""The main job as a user runs it: one small demo, then every promise about what it leaves behind."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lake import tables
from lake.layout import LakePaths
from reference_plant import lifecycle
from reference_plant.demo import DemoReport, run_demo
from reference_plant.options import PlantOptions
from reference_plant.reconcile import reconcile

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
REPORTS = {
    "province_hj212_realtime",
    "province_hj212_ten_minute",
    "province_hj212_hour",
    "province_hj212_day",
    "park_outlet_hourly",
}
REGULATORY = ("minute", "hour", "day")
# A network of its own with no interface; who is not root becomes so in a namespace of users.
WITHOUT_NETWORK = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
# Twice the default speed and a shorter live time: both outages still lie within it.
OPTIONS = PlantOptions(speed=120.0, live_minutes=80.0)


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoReport]:
    # Not pytest's own folder: as root, PostgreSQL runs as another account that may not enter it.
    with tempfile.TemporaryDirectory(prefix="chemlink-demo-") as folder:
        yield run_demo(Path(folder) / "site", print, OPTIONS)


def chemlink(demo: DemoReport, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / "chemlink", *arguments, "--site", str(demo.site_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def findings(demo: DemoReport) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(chemlink(demo, "findings", "--json").stdout)
    return found


def test_plant_lake_and_receivers_hold_the_same_sets(demo: DemoReport) -> None:
    assert len(demo.comparisons) >= 8
    for one in demo.comparisons:
        assert one.expected > 0, f"{one.label_en}: nothing to compare"
        assert one.differences == 0, f"{one.label_en}: {one}"


def test_every_step_ran_and_nothing_waits(demo: DemoReport) -> None:
    failures = [text for tick in demo.ticks for phase in tick.phases for text in phase.failures]
    assert not failures
    assert demo.pending == 0


def test_every_report_was_acknowledged_and_none_refused(demo: DemoReport) -> None:
    lines = json.loads(chemlink(demo, "ledger", "--json").stdout)
    assert {line["report_id"] for line in lines} == REPORTS
    for line in lines:
        assert line["on_time"] + line["late"] > 0, line
        assert [line[fate] for fate in ("rejected", "expired", "missing")] == [0, 0, 0], line


def test_nothing_is_left_running(demo: DemoReport) -> None:
    left = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(demo.site_dir) in " ".join(process.cmdline()):
                left.append(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    assert not left


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("changed_unit", "T102.TEMP"),
        ("unmapped_code", "M-7734X"),
        ("quarantined_row", ".xlsx"),
        ("device_problem", "T102-PRESSURE"),
        ("silent_area", "loading"),
        ("unguarded_link", "L-PACK-VENDOR"),
    ],
)
def test_each_wrong_thing_is_a_finding_that_names_it_its_cause_and_its_remedy(
    demo: DemoReport, kind: str, named: str
) -> None:
    of_kind = [row for row in findings(demo) if row["kind"] == kind]
    assert any(named in row["subject"] + row["cause_en"] for row in of_kind), findings(demo)
    for row in of_kind:
        assert all(row[text] for text in ("cause_zh", "cause_en", "remedy_zh", "remedy_en"))


def blocks(language: str, kind: str) -> list[str]:
    text = (ROOT / "docs" / "guide" / language / "analyst.md").read_text(encoding="utf-8")
    found = re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL)
    assert found, f"the {language} guide has no {kind} block"
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_guide_s_sql_answers_with_the_duckdb_command_line_and_no_network(
    demo: DemoReport, language: str, tmp_path: Path
) -> None:
    for query in blocks(language, "sql"):
        command = [BIN / "duckdb", "-readonly", "-csv", "var/lake.duckdb", query]
        # And a home without extensions.
        ran = subprocess.run(
            [*WITHOUT_NETWORK, *command],
            cwd=demo.site_dir,
            capture_output=True,
            text=True,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        assert len(ran.stdout.splitlines()) > 1, f"no rows: {query}"
    exceedances = subprocess.run(
        [BIN / "duckdb", "-readonly", "-csv", "var/lake.duckdb", blocks(language, "sql")[0]],
        cwd=demo.site_dir,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (nox,) = [line for line in exceedances.splitlines() if line.startswith("DA001") and "hour" in line]
    assert "GB 13271-2014" in nox


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_guide_s_scripts_answer_from_the_published_files_alone(demo: DemoReport, language: str) -> None:
    for script in blocks(language, "python"):
        ran = subprocess.run(
            [sys.executable, "-I", "-c", script],
            cwd=demo.site_dir,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        assert "DA001" in ran.stdout
        assert "a21002" in ran.stdout or "氮氧化物" in ran.stdout


def test_doctor_follows_an_outlet_to_its_endpoints(demo: DemoReport) -> None:
    told = json.loads(chemlink(demo, "doctor", "DA001", "--json").stdout)
    chain = json.dumps(told, ensure_ascii=False)
    for link in ("DA001.NOX", "mg/m3", "a21002", "GB 13271-2014", "province_hj212", "park_https"):
        assert link in chain, f"doctor says nothing of {link}"


def test_a_submission_is_proved_and_a_changed_one_is_not(demo: DemoReport, tmp_path: Path) -> None:
    kept = tmp_path / "proof.json"
    assert chemlink(demo, "verify", submissions(demo)[0], "--save", str(kept)).returncode == 0
    assert chemlink(demo, "verify", str(kept)).returncode == 0
    bundle = json.loads(kept.read_text(encoding="utf-8"))
    content = bytearray(base64.b64decode(bundle["content_base64"]))
    content[len(content) // 2] ^= 1
    changed = {**bundle, "content_base64": base64.b64encode(content).decode()}
    kept.write_text(json.dumps(changed), encoding="utf-8")
    assert chemlink(demo, "verify", str(kept)).returncode == 3


def submissions(demo: DemoReport) -> list[str]:
    with sqlite3.connect(f"file:{demo.site_dir}/var/state.db?mode=ro", uri=True) as connection:
        rows = connection.execute("select idempotency_key from submissions order by submission_id").fetchall()
    return [key for (key,) in rows]


def regulatory(demo: DemoReport) -> dict[str, list[dict[str, object]]]:
    """The regulatory tables in order, without the columns that tell when they were built."""
    lake = LakePaths(demo.site_dir / "var")
    found = {}
    for name in (*(f"reg_province__hj212_{period}" for period in REGULATORY), "reg_park__outlet_hourly"):
        rows = tables.read(lake.table("regulatory", name)).to_pylist()
        kept = [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]
        found[name] = sorted(
            kept, key=lambda row: (row["outlet_id"], row["factor_code"], row["period_start_utc"])
        )
    return found


def assert_the_same(
    before: dict[str, list[dict[str, object]]], after: dict[str, list[dict[str, object]]]
) -> None:
    """Equal row by row, to the last digit of every number."""
    for name, rows in before.items():
        assert len(after[name]) == len(rows), name
        for old, new in zip(rows, after[name], strict=True):
            assert new == old, name


def test_a_dbt_run_killed_again_and_again_leaves_the_marts_and_the_outbox_as_they_were(
    demo: DemoReport,
) -> None:
    before, sent = regulatory(demo), submissions(demo)
    (demo.site_dir / "var" / "build.duckdb").unlink()  # private and rebuildable: all of it must be built anew
    source = random.Random(OPTIONS.seed)
    lifecycle.start(demo.site_dir)
    try:
        for _ in range(3):
            kill_while_dbt_runs(demo, after_s=source.uniform(0.5, 8.0))
        finished = chemlink(demo, "run", "--json")
    finally:
        lifecycle.stop(demo.site_dir)
    assert finished.returncode == 0, failures_in(finished)
    assert_the_same(before, regulatory(demo))
    assert submissions(demo) == sent
    assert not [one for one in reconcile(demo.site_dir) if one.differences]


def failures_in(tick: subprocess.CompletedProcess[str]) -> str:
    """What a tick says of its own failures, or all it said where that is no report."""
    try:
        phases = json.loads(tick.stdout)["phases"]
    except (ValueError, KeyError):
        return tick.stdout + tick.stderr
    return json.dumps([phase for phase in phases if phase["failures"] or phase["checks_failed"]], indent=1)


def kill_while_dbt_runs(demo: DemoReport, *, after_s: float) -> None:
    """Start a tick, wait for its dbt, let it work a while, then SIGKILL the whole process group."""
    command = [BIN / "chemlink", "run", "--json", "--site", str(demo.site_dir)]
    tick = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 90
    while not any("dbt" in part for child in children(tick.pid) for part in child):
        assert tick.poll() is None, "the tick ended before dbt ran"
        assert time.monotonic() < deadline, "dbt did not start"
        time.sleep(0.1)
    time.sleep(after_s)
    assert tick.poll() is None, "the tick ended before it could be killed"
    os.killpg(tick.pid, signal.SIGKILL)
    tick.wait()


def children(pid: int) -> list[list[str]]:
    try:
        return [child.cmdline() for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
