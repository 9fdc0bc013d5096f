"""The control-zone engineer's commands as he gives them: check, trust, discover, against a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingestion.collector.run import run_collector
from orchestration.cli.exits import ExitCode
from protocols.segments import manifest_path, read_table, sequences
from tests.fakes import opcua_catalogue, opcua_history
from tests.fakes.opcua_history import SYSTEM, Source

Run = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What each command said, one after another, on a site whose server is not trusted at first."""
    site = tmp_path_factory.mktemp("control_zone")
    port = opcua_history.free_port()
    config = opcua_history.make_site(site, port, Source((), 0, 1, 0), gateway={"drop_dir": "drop"})
    heading = (site / "tags.csv").read_text(encoding="utf-8")
    row = "{tag},nsu=urn:chemlink:test;s={tag},液位,level,%,0,100,double,50,1000,area,,{history}\n"
    rows = [row.format(tag="T101.LEVEL", history="true"), row.format(tag="W001", history="true")]
    (site / "tags.csv").write_text(heading + "".join([*rows, row.format(tag="NOWHERE", history="false")]))
    trusted = site / "pki" / "trusted"
    for path in trusted.glob("*.der"):
        path.unlink()

    async def ask(*words: str) -> Run:
        command = [sys.executable, "-m", "orchestration.cli", "collect", *words, "--config", str(config)]
        return await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
        )

    async def scenario() -> dict[str, Run]:
        said = {}
        async with opcua_catalogue.serve(site, port):
            said["refused"] = await ask("discover", "--server", SYSTEM)
            said["list"] = await ask("trust", "list", "--json")
            (server,) = [one for one in json.loads(said["list"].stdout) if one["state"] == "rejected"]
            mark = server["fingerprint"][:12]
            said["accept"] = await ask("trust", "accept", mark)
            said["show"] = await ask("trust", "show", mark)
            said["check"] = await ask("check", "--json")
            said["discover"] = await ask("discover", "--server", SYSTEM, "--json")
        said["away"] = await ask("check")
        said["remove"] = await ask("trust", "remove", mark, "--json")
        said["unknown"] = await ask("trust", "accept", "ffffffff")
        said["nobody"] = await ask("discover", "--server", "nobody")
        return said

    return asyncio.run(scenario())


def checks(run: Run) -> dict[str, dict[str, Any]]:
    return {one["subject"]: one for one in json.loads(run.stdout)}


def test_a_server_that_is_not_trusted_is_refused_and_the_message_says_what_to_do(
    told: dict[str, Run],
) -> None:
    assert told["refused"].returncode == ExitCode.FAILURE
    assert "chemlink collect trust accept" in told["refused"].stderr
    assert "Traceback" not in told["refused"].stderr


def test_the_trust_list_names_state_subject_fingerprint_and_days_left(told: dict[str, Run]) -> None:
    listed = json.loads(told["list"].stdout)
    assert [one["state"] for one in listed] == ["own", "rejected"]
    assert all(len(one["fingerprint"]) == 64 and one["days_left"] > 0 and one["subject"] for one in listed)


def test_accept_moves_and_remove_moves_back(told: dict[str, Run]) -> None:
    assert told["accept"].returncode == ExitCode.OK
    assert "trusted 受信" in told["show"].stdout
    assert json.loads(told["remove"].stdout)["state"] == "rejected"
    assert told["unknown"].returncode == ExitCode.USAGE
    assert "ffffffff" in told["unknown"].stderr


def test_the_check_finds_what_is_well_and_each_tag_that_is_not(told: dict[str, Run]) -> None:
    found = checks(told["check"])
    assert told["check"].returncode == ExitCode.PROBLEMS
    levels = {subject.split(" ")[0]: one["level"] for subject, one in found.items()}
    assert levels["server"] == levels["clock"] == levels["gateway"] == levels["signing"] == "ok"
    tags = found[f"tags 点表 {SYSTEM}"]
    assert tags["level"] == "error"
    assert "NOWHERE (BadNodeIdUnknown)" in tags["found_en"]
    history = found[f"history 历史 {SYSTEM}"]
    assert "W001" in history["found_en"]
    assert all(one["remedy_zh"] and one["remedy_en"] for one in found.values() if one["level"] != "ok")


def test_the_check_of_a_server_that_is_away_says_so(told: dict[str, Run]) -> None:
    assert told["away"].returncode == ExitCode.PROBLEMS
    assert f"✗ server 服务器 {SYSTEM}" in told["away"].stdout


def test_discover_writes_a_proposal_beside_the_table_and_names_the_absent(told: dict[str, Run]) -> None:
    found = json.loads(told["discover"].stdout)
    assert told["discover"].returncode == ExitCode.PROBLEMS
    assert found["absent"] == ["NOWHERE"]
    written = Path(found["output"])
    assert written.name == "tags.proposal.csv"
    assert len(written.read_text(encoding="utf-8").splitlines()) == 1 + found["kept"] + len(
        found["additions"]
    )
    assert told["nobody"].returncode == ExitCode.USAGE
    assert SYSTEM in told["nobody"].stderr


def test_collect_without_a_configuration_is_wrong_usage() -> None:
    command = [sys.executable, "-m", "orchestration.cli", "collect"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == ExitCode.USAGE
    assert "--config" in ran.stderr


def test_a_collector_of_opcua_servers_opens_no_port(tmp_path: Path) -> None:
    """Nothing can be asked of it, and no command reaches it (10.3)."""
    config = opcua_history.make_site(tmp_path, opcua_history.free_port(), Source((), 0, 1, 0))
    heading = (tmp_path / "tags.csv").read_text(encoding="utf-8")
    row = "T1,nsu=urn:chemlink:test;s=T1,液位,level,%,0,100,double,50,1000,area,,true\n"
    (tmp_path / "tags.csv").write_text(heading + row, encoding="utf-8")
    status = tmp_path / "var" / "collector" / SYSTEM / "status.json"
    command = [sys.executable, "-m", "orchestration.cli", "collect", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as collector:
        try:
            deadline = time.monotonic() + 30
            while not status.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            assert status.exists()
            opened = psutil.Process(collector.pid).net_connections(kind="all")
            assert [
                one for one in opened if one.status == psutil.CONN_LISTEN or (one.laddr and not one.raddr)
            ] == []
        finally:
            collector.terminate()
    assert collector.returncode == 0


def test_each_session_tells_the_business_zone_that_it_began_and_ended(tmp_path: Path) -> None:
    source = opcua_history.source_around_now(("T1",), history_s=1, live_s=30)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source)
    directory = tmp_path / "var" / "collector" / SYSTEM

    async def scenario() -> None:
        stop = asyncio.Event()
        async with opcua_history.serve(tmp_path, port, source):
            running = asyncio.create_task(run_collector(config, stop))
            async with asyncio.timeout(30):
                while not sequences(directory, f"{SYSTEM}.points"):
                    await asyncio.sleep(0.1)
            stop.set()
            await running

    asyncio.run(scenario())
    stream = f"{SYSTEM}.gaps"
    rows = [
        row
        for number in sequences(directory, stream)
        for row in read_table(manifest_path(directory, stream, number)).to_pylist()
    ]
    assert [row["reason"] for row in rows] == ["session_began", "session_ended"]
    assert all(not row["is_open"] and row["detail"].startswith("opc.tcp://") for row in rows)
