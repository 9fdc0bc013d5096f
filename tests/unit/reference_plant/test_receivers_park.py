"""The park's strict platform over TLS with its private certificate authority."""

import hashlib
import hmac
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from reference_plant.pki import make_pki
from reference_plant.receivers.park import close_park, open_park
from reference_plant.receivers.park_judge import ParkPlatform
from reference_plant.receivers.plant import Outage, PlantView

KEY = "a-shared-key"
RUN = "import sys, pathlib; from reference_plant.receivers.park import main; main(pathlib.Path(sys.argv[1]))"
ROW = {
    "outlet_id": "DA001",
    "outlet_name_zh": "锅炉烟囱",
    "factor_code": "a21002",
    "factor_name_zh": "氮氧化物",
    "unit": "mg/m3",
    "avg_value": 41.2,
    "converted_avg_value": 43.7,
    "emission_kg": 0.61,
    "data_flag": "N",
    "limit_value": 150.0,
    "limit_basis": "converted",
    "standard_no": "GB 13271-2014",
    "standard_name_zh": "锅炉大气污染物排放标准",
    "is_exceeded": False,
}


@pytest.fixture(scope="module")
def pki_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("park")
    make_pki(root / "pki", {})
    return root


class Client:
    """Speaks to a park of the test's own, as a sender would."""

    def __init__(self, root: Path, port: int) -> None:
        trust = ssl.create_default_context(cafile=str(root / "pki/park_ca.pem"))
        address = f"https://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=address, verify=trust, timeout=5, trust_env=False)

    def post(
        self, report: Any, key: str, *, signing_key: str = KEY, path: str = "/api/v1/reports"
    ) -> httpx.Response:
        body = report if isinstance(report, bytes) else json.dumps(report, ensure_ascii=False).encode()
        headers = {"Idempotency-Key": key, "X-Signature": signature(body, signing_key)}
        return self.http.post(path, content=body, headers=headers)

    def get(self, query: str, *, signing_key: str = KEY) -> httpx.Response:
        target = f"/api/v1/reports?{query}"
        return self.http.get(target, headers={"X-Signature": signature(target.encode(), signing_key)})


def signature(content: bytes, key: str) -> str:
    return hmac.new(key.encode(), content, hashlib.sha256).hexdigest()


def report(sequence: int, *, hour: int | None = None, revision: int = 0, **row: object) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "enterprise_code": "91320400CHEMLINK01",
        "report_id": "park_outlet_hourly",
        "period_start": f"2026-11-16T{sequence if hour is None else hour:02d}:00:00+08:00",
        "sequence": sequence,
        "revision": revision,
        "rows": [ROW | row],
    }


@pytest.fixture
def park(tmp_path: Path, pki_dir: Path) -> Iterator[ParkPlatform]:
    (tmp_path / "pki").symlink_to(pki_dir / "pki")
    platform = ParkPlatform(PlantView(tmp_path, "park", 0, ()), hmac_key=KEY)
    yield platform
    platform.store.close()


@pytest.fixture
def client(park: ParkPlatform, tmp_path: Path) -> Iterator[Client]:
    server = open_park(park, PlantView(tmp_path, "park", 0, ()))
    speaking = Client(tmp_path, server.server_port)
    yield speaking
    speaking.http.close()
    close_park(server)


def test_a_report_is_accepted_with_a_receipt_and_can_be_read_back(client: Client) -> None:
    answer = client.post(report(1), "k1")
    assert answer.status_code == 200
    assert answer.json()["status"] == "accepted"
    back = client.get("report_id=park_outlet_hourly&from=2026-11-16T00:00:00Z&to=2026-11-17T00:00:00Z")
    assert back.json() == {"reports": []}, "01:00 in the plant is the day before in UTC"
    back = client.get("report_id=park_outlet_hourly&from=2026-11-15T00:00:00Z&to=2026-11-17T00:00:00Z")
    [found] = back.json()["reports"]
    assert found["receipt_id"] == answer.json()["receipt_id"]
    assert json.loads(found["body"]) == report(1)


def test_a_repeat_gets_the_same_receipt_and_is_stored_once(client: Client) -> None:
    first, second = client.post(report(1), "k1"), client.post(report(1), "k1")
    assert second.json() == {"receipt_id": first.json()["receipt_id"], "status": "duplicate"}
    back = client.get("report_id=park_outlet_hourly&from=2026-11-15T00:00:00Z&to=2026-11-17T00:00:00Z")
    assert len(back.json()["reports"]) == 1


def test_the_same_key_with_another_body_is_a_conflict(client: Client) -> None:
    client.post(report(1), "k1")
    answer = client.post(report(1, avg_value=41.3), "k1")
    assert answer.status_code == 409
    assert "expected_sequence" not in answer.json()


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_number_out_of_order_is_told_the_expected_one(client: Client, sequence: int) -> None:
    client.post(report(1), "k1")
    answer = client.post(report(sequence, hour=5), "k2")
    assert (answer.status_code, answer.json()["expected_sequence"]) == (409, 2)
    assert client.post(report(2), "k3").json()["status"] == "accepted"


def test_a_correction_needs_a_higher_revision_of_its_period(client: Client) -> None:
    client.post(report(1, hour=1), "k1")
    assert client.post(report(2, hour=1), "k2").status_code == 409
    assert client.post(report(2, hour=1, revision=1), "k2").json()["status"] == "accepted"


def test_of_many_senders_of_one_number_one_is_accepted(client: Client) -> None:
    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(lambda n: client.post(report(1, hour=n), f"k{n}").status_code, range(8)))
    assert sorted(answers) == [200] + [409] * 7


BAD_REPORTS = [
    pytest.param(b"{", "$", id="not JSON"),
    pytest.param(report(1) | {"extra": 1}, "$", id="unknown field"),
    pytest.param(report(1) | {"rows": []}, "$.rows", id="no rows"),
    pytest.param(report(1) | {"sequence": "1"}, "$.sequence", id="number as text"),
    pytest.param(report(1) | {"schema_version": 2}, "$.schema_version", id="other version"),
    pytest.param(report(1) | {"period_start": "2026-11-16T01:00:00"}, "$.period_start", id="no offset"),
    pytest.param(
        report(1) | {"period_start": "2026-11-16T01:10:00+08:00"}, "$.period_start", id="not an hour"
    ),
    pytest.param(report(1) | {"period_start": "2126-11-16T01:00:00+08:00"}, "$.period_start", id="future"),
    pytest.param(report(1, data_flag="X"), "$.rows[0].data_flag", id="unknown mark"),
    pytest.param(report(1, avg_value=None), "$.rows[0].avg_value", id="normal without value"),
    pytest.param(report(1, avg_value="41.2"), "$.rows[0].avg_value", id="value as text"),
    pytest.param(report(1, standard_no=None), "$.rows[0].standard_no", id="limit without standard"),
    pytest.param(report(1, emission_kg=-0.1), "$.rows[0].emission_kg", id="negative emission"),
    pytest.param(report(1) | {"rows": [ROW, ROW]}, "$.rows", id="row twice"),
]


@pytest.mark.parametrize(("bad", "path"), BAD_REPORTS)
def test_a_report_that_breaks_the_schema_is_refused_with_the_path(
    client: Client, bad: object, path: str
) -> None:
    answer = client.post(bad, "k1")
    assert answer.status_code == 400
    assert path in [error["path"] for error in answer.json()["errors"]]
    assert client.post(report(1), "k1").json()["status"] == "accepted", "a refused key may be used again"


def test_a_wrong_signature_is_refused_for_posting_and_reading(client: Client) -> None:
    assert client.post(report(1), "k1", signing_key="other").status_code == 401
    assert client.get("report_id=park_outlet_hourly&from=x&to=y", signing_key="other").status_code == 401
    unsigned = client.http.post("/api/v1/reports", json=report(1), headers={"Idempotency-Key": "k"})
    assert unsigned.status_code == 401


def test_a_report_without_a_key_is_refused(client: Client) -> None:
    assert client.post(report(1), "").status_code == 400


def test_another_path_is_not_found(client: Client) -> None:
    assert client.post(report(1), "k1", path="/api/v2/reports").status_code == 404


def test_a_client_that_does_not_know_the_authority_does_not_connect(client: Client) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(str(client.http.base_url), trust_env=False)
    assert client.post(report(1), "k1").status_code == 200


def test_plain_http_is_not_spoken(client: Client) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(str(client.http.base_url).replace("https", "http"), trust_env=False)
    assert client.post(report(1), "k1").status_code == 200


def test_a_slow_handshake_holds_up_nobody_else(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.http.base_url.port or 0)):
        assert client.post(report(1), "k1").status_code == 200


def test_an_answer_kept_back_leaves_the_report_accepted(client: Client, park: ParkPlatform) -> None:
    park.faults.switch({"drop_next": 1})
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(report(1), "k1")
    assert client.post(report(1), "k1").json()["status"] == "duplicate"


def test_a_closed_park_hangs_up_and_keeps_nothing(client: Client, park: ParkPlatform) -> None:
    park.faults.switch({"closed": True})
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(report(1), "k1")
    park.faults.switch({"closed": False})
    assert client.post(report(1), "k1").json()["status"] == "accepted"


def test_the_park_is_out_of_order_in_its_window_of_plant_time(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    view = PlantView(tmp_path, "park", 0, (Outage(now - hour, now + hour),))
    found = [view.is_out(now + offset * hour) for offset in (-2, -1, 0, 1, 2)]
    assert found == [False, True, True, False, False]
    assert view.is_out(view.now())


def test_main_serves_until_told_to_stop(tmp_path: Path, pki_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "pki").symlink_to(pki_dir / "pki")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/park_hmac_key").write_text(f"{KEY}\n")
    (tmp_path / "plant.json").write_text(json.dumps({"ports": {"park": port}, "scenarios": []}))
    process = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)])
    try:
        client = Client(tmp_path, port)
        deadline = time.monotonic() + 20
        while True:
            try:
                answer = client.post(report(1), "k1")
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert answer.json()["status"] == "accepted"
    finally:
        process.terminate()
        assert process.wait(10) == 0
