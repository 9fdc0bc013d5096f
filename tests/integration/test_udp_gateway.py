"""The UDP gateway between real processes, over a link of network namespaces whose return is cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from benchmarks.gateway_udp.crossing import cross
from benchmarks.gateway_udp.ends import SIGN_KEY
from benchmarks.gateway_udp.segments import STREAMS, SYSTEM, seal_random
from lake.state import open_state
from lake.state_tables import gateway_links, process_heartbeats
from tests.fakes.one_way_link import OneWayLink, one_way_link


@pytest.fixture
def link() -> Iterator[OneWayLink]:
    with one_way_link() as made:
        yield made


def seal(folder: Path, count: int, size: int) -> None:
    for stream in STREAMS:
        for number in range(1, count + 1):
            seal_random(folder / "state" / SYSTEM, stream, number, size, SIGN_KEY, 7)


@pytest.mark.full
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_all_arrives_though_every_tenth_datagram_is_lost_and_nothing_goes_back(
    tmp_path: Path, link: OneWayLink, is_encrypted: bool
) -> None:
    seal(tmp_path, 4, 300_000)
    link.lose(100)
    order = {"rate_mb_s": 20.0, "survives_loss": 0.2, "encrypt": is_encrypted, "quiet_s": 1.0}
    done = cross(link, tmp_path / "state", tmp_path / "received", **order)
    assert (done.equal, done.lost, done.wrong, done.told_missing) == (8, set(), set(), set())
    assert done.received["counts"]["symbols_repaired"] > 0
    assert done.back == 0


@pytest.mark.full
def test_what_is_lost_is_told_by_number(tmp_path: Path, link: OneWayLink) -> None:
    seal(tmp_path, 6, 200_000)
    link.lose(200)
    order = {"rate_mb_s": 20.0, "survives_loss": 0.02, "quiet_s": 1.0}
    done = cross(link, tmp_path / "state", tmp_path / "received", **order)
    assert done.lost
    assert done.told_missing == done.lost
    assert done.wrong == set()


def test_the_receiver_process_fills_the_inbox_and_the_links_row(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "orchestration.cli"]
    site = tmp_path / "site"
    subprocess.run([*command, "init", str(site)], check=True, capture_output=True)
    with (site / "site.yml").open("a", encoding="utf-8") as file:
        file.write("\ngateway_udp: {host: 127.0.0.1, port: 47311}\n")
    key = SIGN_KEY.public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (site / "pki").mkdir(exist_ok=True)
    (site / "pki" / "gateway_verify.pem").write_bytes(pem)
    subprocess.run([*command, "migrate", "--site", str(site)], check=True, capture_output=True)
    made = subprocess.run(
        [*command, "receive", "--make-key", "--site", str(site)], check=True, capture_output=True, text=True
    )
    assert "gateway_receiver_public.pem" in made.stdout
    assert (site / "pki" / "gateway_receiver.pem").stat().st_mode & 0o777 == 0o600
    seal(tmp_path, 3, 20_000)
    receiver = subprocess.Popen([*command, "receive", "--site", str(site)])
    try:
        state = open_state(f"sqlite:///{site / 'var' / 'state.db'}", lambda: None)  # type: ignore[arg-type, return-value]
        wait_until(lambda: rows(state, process_heartbeats))
        order = {"host": "127.0.0.1", "port": 47311, "rate_mb_s": 20.0, "survives_loss": 0.1}
        send = json.dumps({**order, "state_dir": str(tmp_path / "state")})
        ends = [sys.executable, "-m", "benchmarks.gateway_udp.ends", "send", send]
        subprocess.run(ends, check=True, capture_output=True, cwd=Path(__file__).parents[2])
        inbox = site / "var" / "gateway" / "inbox"
        wait_until(lambda: len(list(inbox.glob("*/*.json"))) == 6)
        wait_until(lambda: any(row["segments_received"] == 6 for row in rows(state, gateway_links)))
        (row,) = rows(state, gateway_links)
        assert (row["link_id"], row["transport"], row["segments_missing"]) == ("bench_collector", "udp", 0)
        assert list(inbox.glob("heartbeat.bench_collector.json"))
    finally:
        os.kill(receiver.pid, signal.SIGTERM)
        assert receiver.wait(20) == 0


def rows(state: object, table: object) -> list[dict[str, object]]:
    with state.read() as connection:  # type: ignore[attr-defined]
        return [dict(row) for row in connection.execute(select(table)).mappings()]  # type: ignore[call-overload]


def wait_until(is_so: object, seconds: float = 60.0) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)
