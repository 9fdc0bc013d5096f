"""From regulatory rows to the park's own store, over TLS."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exports.dispatcher import DrainReport, drain
from exports.outbox import BuildReport, GateVerdict, build_due
from exports.secrets import SiteSecrets
from exports.site import ExportSite
from lake.findings import open_findings
from protocols.clock import ScaledClock
from reference_plant.pki import make_pki
from reference_plant.receivers.control import ask
from tests.fakes.export_platforms import platform, stored
from tests.fakes.export_site import free_port, hours, local, make_site, park, park_rows, report, write_rows

NOW = local("2026-11-17T06:30:00")
FIRST = local("2026-11-17T00:00:00")
TABLE = "reg_park__outlet_hourly"
REPORTS = {"park_outlet_hourly": report("park_outlet_hourly")}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    make_pki(folder, {})
    return folder


@pytest.fixture
def site(tmp_path: Path, pki: Path) -> ExportSite:
    made = make_site(tmp_path, ScaledClock(datetime.now(UTC), NOW, speed=1.0))
    (tmp_path / "pki").rmdir()
    (tmp_path / "pki").symlink_to(pki)
    return made


@pytest.fixture
def port() -> int:
    return free_port()


def build(site: ExportSite, port: int, **more: Any) -> BuildReport:
    return build_due(site, REPORTS, {"park_https": park(port)}, since=FIRST, **more)


def send(site: ExportSite, port: int, timeout_s: float = 20) -> DrainReport:
    log_key = site.root / "var/log_sign.pem"
    return drain(site, REPORTS, {"park_https": park(port)}, log_key=log_key, timeout_s=timeout_s)


def write_hours(site: ExportSite, *values: float) -> None:
    starts = hours(FIRST, len(values))
    write_rows(
        site, TABLE, [row for at, value in zip(starts, values, strict=True) for row in park_rows(at, value)]
    )


def sequences(site: ExportSite) -> list[tuple[int, int, int]]:
    return stored(site.root, "park", "select sequence, revision, repeats from reports order by sequence")


def findings(site: ExportSite) -> set[str]:
    with site.state.read() as conn:
        return {row["finding_key"] for row in open_findings(conn)}


def test_hours_arrive_numbered_without_a_gap_and_each_has_a_receipt(site: ExportSite, port: int) -> None:
    write_hours(site, 1, 2, 3, 4, 5, 6)
    with platform("park", site.root, port, NOW):
        build(site, port)
        ended = send(site, port)
    assert ended.by_state == {"acknowledged": 6}
    assert sequences(site) == [(number, 0, 0) for number in range(1, 7)]
    theirs = {receipt for (receipt,) in stored(site.root, "park", "select receipt_id from reports")}
    with sqlite3.connect(site.root / "var/state.db") as state:
        ours = {reference for (reference,) in state.execute("select receiver_reference from receipts")}
    assert ours == theirs


def test_lost_answers_are_asked_again_and_nothing_is_accepted_twice(site: ExportSite, port: int) -> None:
    write_hours(site, 1, 2, 3, 4, 5, 6)
    with platform("park", site.root, port, NOW) as control:
        ask(control, {"do": "faults", "drop_next": 2})
        build(site, port)
        ended = send(site, port)
    assert ended.by_state == {"acknowledged": 6}
    found = sequences(site)
    assert [number for number, _, _ in found] == [1, 2, 3, 4, 5, 6]
    assert sum(repeats for _, _, repeats in found) == 2
    assert stored(site.root, "park", "select * from refusals") == []


def test_a_refused_report_takes_no_number_and_the_next_goes_through(site: ExportSite, port: int) -> None:
    rows = [row for at in hours(FIRST, 3) for row in park_rows(at)]
    rows[1]["data_flag"] = "X"  # a mark the park does not know
    write_rows(site, TABLE, rows)
    with platform("park", site.root, port, NOW):
        build(site, port)
        ended = send(site, port)
        rows[1]["data_flag"] = "D"
        write_rows(site, TABLE, rows)
        corrected = build(site, port)
        again = send(site, port)
    assert ended.by_state == {"acknowledged": 2, "rejected": 1}
    assert "submission_rejected:park_outlet_hourly:park_https:reference_plant:20261116T170000Z:0" in findings(
        site
    )
    assert corrected.corrections == ["park_outlet_hourly:park_https:reference_plant:20261116T170000Z:1"]
    assert again.by_state == {"acknowledged": 3, "rejected": 1}
    assert sequences(site) == [(1, 0, 0), (2, 0, 0), (3, 1, 0)]


def test_a_receiver_that_counts_otherwise_is_followed_and_told(site: ExportSite, port: int) -> None:
    write_hours(site, 1, 2)
    with platform("park", site.root, port, NOW):
        build(site, port)
        send(site, port)
        with sqlite3.connect(site.root / "var/state.db") as state:  # our ledger is older than theirs
            state.execute("update submission_events set detail = json_set(detail, '$.sequence', 1) "
                          "where to_state = 'acknowledged'")  # fmt: skip
        write_hours(site, 1, 2, 3)
        build(site, port)
        ended = send(site, port)
    assert ended.by_state == {"acknowledged": 3}
    assert [number for number, _, _ in sequences(site)] == [1, 2, 3]
    assert "receiver_out_of_step:park_https/park_outlet_hourly" in findings(site)


def test_a_wrong_key_rests_the_endpoint_and_rejects_nothing(site: ExportSite, port: int) -> None:
    write_hours(site, 1, 2)
    build(site, port)
    wrong = replace(site, secrets=SiteSecrets(site.root / "secrets", {"park_hmac_key": "not the key"}))
    with platform("park", site.root, port, NOW):
        ended = send(wrong, port, timeout_s=2)
        assert ended.by_state == {"queued": 2}
        assert "endpoint_unreachable:park_https" in findings(site)
        assert send(site, port).by_state == {"acknowledged": 2}
    assert "endpoint_unreachable:park_https" not in findings(site)


def test_content_that_was_damaged_in_the_store_is_refused_and_the_rest_goes_on(
    site: ExportSite, port: int
) -> None:
    write_hours(site, 1, 2)
    build(site, port)
    with sqlite3.connect(site.root / "var/state.db") as state:
        state.execute("update submissions set content = x'00' where submission_id = 1")
    with platform("park", site.root, port, NOW):
        ended = send(site, port)
    assert ended.by_state == {"rejected": 1, "acknowledged": 1}
    assert sequences(site) == [(1, 0, 0)]


def test_a_server_of_another_authority_is_not_spoken_to(site: ExportSite, port: int, tmp_path: Path) -> None:
    write_hours(site, 1)
    build(site, port)
    make_pki(tmp_path / "others", {})
    endpoint = park(port)
    settings = endpoint.transport.model_copy(update={"ca_file": "others/park_ca.pem"})
    distrusting = {"park_https": endpoint.model_copy(update={"transport": settings})}
    with platform("park", site.root, port, NOW):
        ended = drain(site, REPORTS, distrusting, log_key=site.root / "var/key.pem", timeout_s=2)
    assert ended.by_state == {"queued": 1}
    assert stored(site.root, "park", "select * from reports") == []


def test_a_failed_gate_holds_its_report_until_it_passes(site: ExportSite, port: int) -> None:
    write_hours(site, 1, 2)
    gated = {"park_outlet_hourly": report("park_outlet_hourly", gate="park_hourly")}
    failed = GateVerdict(passed=False, detail_zh="缺少排口", detail_en="an outlet is missing")
    passed = GateVerdict(passed=True, detail_zh="", detail_en="")
    endpoints = {"park_https": park(port)}
    held = build_due(site, gated, endpoints, since=FIRST, gate=lambda _: failed)
    assert (held.enqueued, set(held.held)) == ([], {"park_outlet_hourly"})
    assert "report_held:park_outlet_hourly" in findings(site)
    assert len(build_due(site, gated, endpoints, since=FIRST, gate=lambda _: passed).enqueued) == 2
    assert "report_held:park_outlet_hourly" not in findings(site)


def test_the_receipt_kept_is_the_receivers_own_bytes(site: ExportSite, port: int) -> None:
    write_hours(site, 1)
    with platform("park", site.root, port, NOW):
        build(site, port)
        send(site, port)
    with sqlite3.connect(site.root / "var/state.db") as state:
        ((body,),) = state.execute("select body from receipts").fetchall()
    ((receipt_id,),) = stored(site.root, "park", "select receipt_id from reports")
    assert json.loads(body) == {"receipt_id": receipt_id, "status": "accepted"}
