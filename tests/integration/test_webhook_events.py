"""Signed events end to end: believed or refused, kept before the answer, landed once, also after kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingestion.context import Outcome
from ingestion.errors import PermanentError
from ingestion.webhooks.extract import SPOOLS
from ingestion.webhooks.receiver import MAX_BODY_BYTES, ReceiverSpec, Sender, receiver_app
from ingestion.webhooks.signature import ID, SIGNATURE, TIMESTAMP, WINDOW_S, sign, signing_key
from tests.fakes.event_receiver_process import KEY
from tests.fakes.file_site import SYSTEM, FileSite, column, contract_text, make_file_site, reopened

ROOT = Path(__file__).parents[2]
COLUMNS = (
    column("event_id", "string", "Event", "事件编号", physicalName=ID, required=True, primaryKey=True,
           primaryKeyPosition=1),
    column("sent_at_utc", "timestamp", "Sent at", "发送时间", physicalName=TIMESTAMP, required=True),
    column("ticket_no", "string", "Ticket", "磅单号", physicalName="ticket.no", required=True),
    column("net_weight_kg", "number", "Net weight", "净重", physicalName="ticket.kg",
           physicalType="numeric(12,3)", own={"unit": "kg"}),
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> FileSite:
    make_file_site(tmp_path, {"tickets": contract_text("tickets", COLUMNS)})
    system = tmp_path / "systems" / SYSTEM / "system.yml"
    system.write_text(
        system.read_text(encoding="utf-8").replace("kind: files", "kind: webhook"), encoding="utf-8"
    )
    with (tmp_path / "systems" / f"{SYSTEM}.yml").open("a", encoding="utf-8") as file:
        file.write("events_secret: weighbridge_events\n")
    return reopened(tmp_path)


def body(number: int, kg: Any = 10.5) -> bytes:
    return json.dumps({"ticket": {"no": f"T-{number:03}", "kg": kg}}).encode()


def headers(event_id: str, content: bytes, *, at: float | None = None, key: bytes = KEY) -> dict[str, str]:
    timestamp = str(int(at if at is not None else time.time()))
    return {ID: event_id, TIMESTAMP: timestamp, SIGNATURE: sign(key, event_id, timestamp, content)}


class Sending:
    """A sender in front of the receiver, in this process."""

    def __init__(self, site: FileSite) -> None:
        folder = site.context.lake.root / SPOOLS
        spec = ReceiverSpec("127.0.0.1", 1, folder, {SYSTEM: Sender(KEY, frozenset({"tickets"}))})
        self.transport = httpx.ASGITransport(app=receiver_app(spec))

    def __call__(
        self, event_id: str, content: bytes, said: dict[str, str] | None = None, *, table: str = "tickets"
    ) -> int:
        return self._run(f"/events/{SYSTEM}/{table}", content, said or headers(event_id, content))

    def _run(self, path: str, content: bytes, said: dict[str, str]) -> int:
        import asyncio

        async def post() -> int:
            async with httpx.AsyncClient(transport=self.transport, base_url="http://receiver") as client:
                return (await client.post(path, content=content, headers=said)).status_code

        return asyncio.run(post())


@pytest.fixture
def send(site: FileSite) -> Sending:
    return Sending(site)


def test_an_event_lands_once_although_it_is_delivered_again_and_again(site: FileSite, send: Sending) -> None:
    assert [send("e-1", body(1)), send("e-1", body(1)), send("e-2", body(2))] == [202, 200, 202]
    assert site.take_in().rows_upserted == 2
    assert send("e-1", body(1)) == 200
    assert site.take_in().outcome is Outcome.EMPTY_WINDOW
    for path in (site.context.lake.root / SPOOLS / SYSTEM / "landed").iterdir():
        path.unlink()  # as after a long time
    assert send("e-1", body(1), headers("e-1", body(1))) == 202
    assert site.take_in().rows_upserted == 0
    assert {row["ticket_no"] for row in site.raw()} == {"T-001", "T-002"}
    assert str(site.present()["e-1"]["net_weight_kg"]) == "10.500"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (headers("e-1", body(1), key=b"another"), 401),
        (headers("e-1", body(2)), 401),
        (headers("e-2", body(1)) | {ID: "e-1"}, 401),
        (headers("e-1", body(1), at=time.time() - 10 * WINDOW_S), 401),
        (headers("e-1", body(1), at=time.time() + 10 * WINDOW_S), 401),
        ({ID: "e-1"}, 400),
    ],
    ids=["key", "body", "id", "old", "future", "unsigned"],
)
def test_what_is_not_believed_leaves_nothing(
    said: dict[str, str], status: int, site: FileSite, send: Sending
) -> None:
    assert send("e-1", body(1), said) == status
    assert not (site.context.lake.root / SPOOLS).exists()


def test_an_id_with_other_content_is_refused_and_later_set_aside(site: FileSite, send: Sending) -> None:
    send("e-1", body(1))
    assert send("e-1", body(2)) == 409
    site.take_in()
    assert send("e-1", body(2)) == 409
    for path in (site.context.lake.root / SPOOLS / SYSTEM / "landed").iterdir():
        path.unlink()
    assert send("e-1", body(2)) == 202
    report = site.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (0, 1)
    (row,) = site.quarantine
    assert "内容不同" in row["reasons_zh"]
    assert site.present()["e-1"]["ticket_no"] == "T-001"


def test_events_that_do_not_fit_are_kept_and_set_aside_with_reasons(site: FileSite, send: Sending) -> None:
    for event_id, content in {"a": body(1, kg="heavy"), "b": b"{no json", "c": b"[]", "d": body(4)}.items():
        assert send(event_id, content) == 202
    report = site.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, 3)
    assert all(row["reasons_zh"] and row["reasons_en"] for row in site.quarantine)
    assert site.take_in().rows_quarantined == 0
    assert len(site.quarantine) == 3


def test_endless_bodies_and_unknown_tables_are_refused(send: Sending) -> None:
    assert send("e-1", b"x" * (MAX_BODY_BYTES + 1)) == 413
    assert send("e-1", body(1), table="quarantine") == 404


def test_a_secret_in_the_scheme_s_own_form_is_understood() -> None:
    assert signing_key("whsec_c2VjcmV0") == b"secret"
    for wrong in ("whsec_!", ""):
        with pytest.raises(PermanentError):
            signing_key(wrong)


@contextmanager
def receiving(site: FileSite, port: int) -> Iterator[subprocess.Popen[bytes]]:
    folder = str(site.context.lake.root / SPOOLS)
    command = [sys.executable, "-m", "tests.fakes.event_receiver_process", folder, str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_killed_between_answer_and_landing_no_answered_event_is_lost_and_none_doubled(site: FileSite) -> None:
    port, answered = free_port(), set[str]()

    def post(number: int) -> None:
        content = body(number)
        url = f"http://127.0.0.1:{port}/events/{SYSTEM}/tickets"
        try:
            said = headers(f"e-{number}", content)
            if httpx.post(url, content=content, headers=said, timeout=5).is_success:
                answered.add(f"e-{number}")
        except httpx.TransportError:
            pass  # not answered: the sender will send it again

    with receiving(site, port) as process:
        sender = threading.Thread(target=lambda: [post(number) for number in range(60)])
        sender.start()
        while len(answered) < 15:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        sender.join()
    before = set(answered)
    assert 15 <= len(before) < 60
    site.take_in()
    assert before <= set(site.present())
    with receiving(site, port):
        for number in range(60):
            post(number)
    assert len(answered) == 60
    site.take_in()
    assert len(site.raw()) == 60
    assert set(site.present()) == answered
