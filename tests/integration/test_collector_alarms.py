"""Alarms of a server that shares no code with ours, node-opcua, collected as lives over an outage."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from asyncua import Client, ua

from ingestion.collector.run import run_collector
from protocols.segments import manifest_path, read_table, sequences
from reference_plant.pki import make_pki
from tests.fakes.opcua_history import free_port

ROOT = Path(__file__).parents[2]
SYSTEM = "peer"
NAMESPACE = "urn:chemlink:alarms"
TAGS = ("T101.LEVEL", "T102.LEVEL", "T103.LEVEL")
HEADER = (
    "tag_id,node_id,label_zh,label_en,unit,range_low,range_high,data_type,sampling_ms,queue_size,area,"
    "equipment_id,has_history\n"
)


class Peer:
    """node-opcua with three alarms, and an operator at it."""

    def __init__(self, port: int) -> None:
        node = shutil.which("node")
        assert node is not None, "node is missing: apt-get install nodejs npm, then tools/ensure-node-peers"
        self.url = f"opc.tcp://127.0.0.1:{port}/"
        self._process = subprocess.Popen(
            [node, "alarm_server.js", str(port)],
            cwd=ROOT / "benchmarks" / "peers",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def set(self, tag: str, value: float) -> None:
        """Change a tag's value."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"set {tag} {value}\n")
        self._process.stdin.flush()
        self._expect("done")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == word:
                return
        pytest.fail(f"the peer ended before it said {word}")


@pytest.fixture
def peer() -> Iterator[Peer]:
    subprocess.run([ROOT / "tools" / "ensure-node-peers"], check=True)
    made = Peer(free_port())
    try:
        yield made
    finally:
        made.end()


def make_site(root: Path, peer: Peer) -> None:
    make_pki(root / "pki", {SYSTEM: f"{NAMESPACE}:server"})
    rows = [f"{tag},nsu={NAMESPACE};s={tag},{tag},{tag},,,,double,100,10,area,,false\n" for tag in TAGS]
    (root / "tags.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    server = {
        "system_id": SYSTEM,
        "url": peer.url,
        "security": {"policy": "None", "allow_plain_text": True},
        "tags": "tags.csv",
        "collect_alarms": True,
    }
    content = {
        "schema_version": 1,
        "collector_id": "collector_test",
        "servers": [server],
        "seal_every_s": 0.05,
        "publish_every_ms": 50,
    }
    (root / "collector.yml").write_text(yaml.safe_dump(content), encoding="utf-8")


def alarms(root: Path) -> list[dict[str, Any]]:
    folder, stream = root / "var" / "collector" / SYSTEM, f"{SYSTEM}.alarms"
    if not (folder / stream).is_dir():
        return []
    paths = [manifest_path(folder, stream, number) for number in sequences(folder, stream)]
    return [row for path in paths for row in read_table(path).to_pylist() if row["condition_id"]]


def of(root: Path, tag: str) -> list[dict[str, Any]]:
    return [row for row in alarms(root) if row["condition_name"] == f"{tag}.Alarm"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def collecting(root: Path) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_collector(root / "collector.yml", stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def act(peer: Peer, tag: str, name: str, *arguments: ua.Variant) -> None:
    """Call a method of a condition, or of its shelving state, as an operator's client does."""
    async with Client(peer.url) as client:
        index = await client.get_namespace_index(NAMESPACE)
        node = client.get_node(ua.NodeId(f"{tag}.Alarm", index))
        if name == "TimedShelve":
            node = await node.get_child("0:ShelvingState")
        await node.call_method(f"0:{name}", *arguments)


def said(event_id: str, text: str) -> tuple[ua.Variant, ua.Variant]:
    return (
        ua.Variant(bytes.fromhex(event_id), ua.VariantType.ByteString),
        ua.Variant(ua.LocalizedText(text), ua.VariantType.LocalizedText),
    )


@pytest.mark.full
def test_alarms_of_node_opcua_are_kept_as_lives_over_an_outage(tmp_path: Path, peer: Peer) -> None:
    make_site(tmp_path, peer)
    first, second, third = TAGS

    async def scene() -> None:
        async with collecting(tmp_path):
            await until(lambda: (tmp_path / "var" / "collector" / SYSTEM / f"{SYSTEM}.tags").is_dir())
            peer.set(first, 85)
            await until(lambda: any(row["is_active"] for row in of(tmp_path, first)))
            peer.set(first, 95)
            await until(lambda: of(tmp_path, first)[-1]["limit_state"] == "HighHigh")
            await act(
                peer, first, "Acknowledge", *said(of(tmp_path, first)[-1]["event_id"], "去看 / looking")
            )
            await until(lambda: of(tmp_path, first)[-1]["is_acknowledged"] is True)
            await act(peer, first, "TimedShelve", ua.Variant(600_000.0, ua.VariantType.Double))
            peer.set(first, 85)
            await until(lambda: of(tmp_path, first)[-1]["shelving_state"] == "TimedShelved")
            peer.set(second, 5)
            await until(lambda: any(row["is_active"] for row in of(tmp_path, second)))
            last = of(tmp_path, second)[-1]
            await act(peer, second, "Acknowledge", *said(last["event_id"], "seen"))
            await until(lambda: of(tmp_path, second)[-1]["is_acknowledged"] is True)
        known = len(alarms(tmp_path))
        # While nobody listens one alarm ends and one comes.
        await act(peer, second, "Confirm", *said(of(tmp_path, second)[-1]["event_id"], "dealt with"))
        peer.set(second, 50)
        await act(peer, second, "Disable")  # node-opcua retains what is over until then
        peer.set(third, 85)
        async with collecting(tmp_path):
            await until(lambda: len(of(tmp_path, third)) == 1)
            await until(lambda: of(tmp_path, second)[-1]["told_by"] == "absence")
        assert len(alarms(tmp_path)) == known + 2
        async with collecting(tmp_path):
            peer.set(third, 95)
            await until(lambda: len(of(tmp_path, third)) == 2)
        assert len(alarms(tmp_path)) == known + 3

    asyncio.run(scene())
    rows = alarms(tmp_path)
    assert len({row["event_id"] for row in rows}) == len(rows)
    acknowledged = next(row for row in of(tmp_path, first) if row["is_acknowledged"])
    assert acknowledged["comment"] == "去看 / looking"
    assert acknowledged["is_confirmed"] is False
    assert (acknowledged["quality_code"], acknowledged["is_retained"]) == (0, True)
    assert acknowledged["shelving_state"] == "Unshelved"
    end = of(tmp_path, second)[-1]
    assert (end["is_active"], end["is_retained"], end["is_confirmed"]) == (False, False, None)
    came = of(tmp_path, third)[0]
    assert (came["told_by"], came["is_active"], came["limit_state"]) == ("refresh", True, "High")
