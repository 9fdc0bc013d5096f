"""From regulatory rows and observations to the province's own store, over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from exports.dispatcher import DrainReport, drain, run_dispatcher
from exports.outbox import build_due
from exports.site import ExportSite
from lake.errors import LeaseHeldError
from lake.findings import open_findings
from lake.heartbeats import heartbeats
from lake.state_tables import merkle_leaves, submission_events, submissions
from protocols.clock import ScaledClock
from reference_plant.receivers.control import ask
from tests.fakes.export_platforms import platform, stored, wait_until
from tests.fakes.export_site import (
    DEVICES,
    free_port,
    hours,
    local,
    make_site,
    observe,
    province,
    province_rows,
    report,
    write_rows,
)

NOW = local("2026-11-17T06:30:00")
FIRST = local("2026-11-17T00:00:00")
TABLE = "reg_province__hj212_hour"
REPORTS = {"province_hj212_hour": report()}


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, ScaledClock(datetime.now(UTC), NOW, speed=1.0))


@pytest.fixture
def port() -> int:
    return free_port()


def send(
    site: ExportSite, port: int, reports: Any = REPORTS, timeout_s: float = 20, **endpoint: Any
) -> DrainReport:
    log_key = site.root / "pki/log_sign.pem"
    endpoints = {"province_hj212": province(port, **endpoint)}
    return drain(site, reports, endpoints, log_key=log_key, timeout_s=timeout_s)


def build(site: ExportSite, port: int) -> Any:
    return build_due(site, REPORTS, {"province_hj212": province(port)}, since=FIRST)


@contextmanager
def dispatching(site: ExportSite, port: int, reports: Any = REPORTS) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=run_dispatcher,
        args=(site, reports, {"province_hj212": province(port)}),
        kwargs={"log_key": site.root / "pki/log_sign.pem", "stop": stop},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive(), "the dispatcher did not stop when told to"


def findings(site: ExportSite) -> set[str]:
    with site.state.read() as conn:
        return {row["finding_key"] for row in open_findings(conn)}


def test_due_hours_arrive_once_and_in_order(site: ExportSite, port: int) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 7) for row in province_rows(at)])
    with platform("province", site.root, port, NOW):
        built = build(site, port)
        ended = send(site, port)
    assert len(built.enqueued) == 6 * len(DEVICES)  # the seventh hour is not over
    assert ended.by_state == {"acknowledged": 18}
    by_mn: dict[str, list[str]] = {}
    for mn, data_time in stored(
        site.root, "province", "select mn, data_time from frames where accepted order by id"
    ):
        by_mn.setdefault(mn, []).append(data_time)
    in_order = [f"20261117{hour:02d}0000" for hour in range(6)]
    assert by_mn == {device.mn: in_order for device in DEVICES.values()}
    breaches = stored(site.root, "province", "select * from frames where not accepted or order_breach <> ''")
    assert breaches == []


def test_the_platform_holds_the_values_of_the_table_with_the_decimals_of_the_factor_list(
    site: ExportSite, port: int
) -> None:
    write_rows(site, TABLE, province_rows(FIRST, value=12.345, outlets=["DA001"]))
    with platform("province", site.root, port, NOW):
        build(site, port)
        send(site, port)
    held = stored(
        site.root,
        "province",
        "select factor_code, field, value, flag from \"values\" where factor_code = 'a21026' order by field",
    )
    expected = dict.fromkeys(("Avg", "Max", "Min", "ZsAvg", "ZsMax", "ZsMin"), "12.34")  # half to even
    expected["Cou"] = "12.3450"  # kilograms, to a tenth of a gram
    assert held == [("a21026", field, expected[field], "N") for field in sorted(expected)]


def test_lost_acknowledgements_are_repeated_with_the_same_qn_and_stored_once(
    site: ExportSite, port: int
) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 6) for row in province_rows(at)])
    with platform("province", site.root, port, NOW) as control:
        ask(control, {"do": "faults", "drop_next": 7})
        build(site, port)
        ended = send(site, port)
    assert ended.by_state == {"acknowledged": 18}
    frames = stored(site.root, "province", "select qn, mn, duplicate from frames where accepted")
    first = [(qn, mn) for qn, mn, duplicate in frames if not duplicate]
    repeats = [(qn, mn) for qn, mn, duplicate in frames if duplicate]
    assert len(first) == len(set(first)) == 18
    assert len(repeats) >= 7
    assert set(repeats) <= set(first)


def test_an_outage_delays_and_loses_nothing_and_is_a_finding_meanwhile(site: ExportSite, port: int) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 6) for row in province_rows(at)])
    build(site, port)
    with dispatching(site, port):
        wait_until(lambda: "endpoint_unreachable:province_hj212" in findings(site), "the finding")
        with site.state.read() as conn:
            assert set(conn.scalars(select(submissions.c.attempts))) == {0}, (
                "an outage is no submission's fault"
            )
        with platform("province", site.root, port, NOW):
            wait_until(lambda: _states(site) == {"acknowledged"}, "every acknowledgement")
    assert "endpoint_unreachable:province_hj212" not in findings(site)


def test_observations_become_real_time_uploads_before_waiting_scheduled_ones(
    site: ExportSite, port: int
) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 6) for row in province_rows(at)])
    reports = {**REPORTS, "province_hj212_realtime": report("province_hj212_realtime", due_minutes=0)}
    for minute in range(3):
        observe(site, "DA001", NOW - timedelta(minutes=3 - minute))
    build(site, port)
    with platform("province", site.root, port, NOW):
        ended = send(site, port, reports=reports, batch=1)
    assert ended.by_state == {"acknowledged": 21}
    order = [cn for (cn,) in stored(site.root, "province", "select cn from frames order by id")]
    assert order == ["2011"] * 3 + ["2061"] * 18
    held = stored(site.root, "province", "select data_time, value from \"values\" where field = 'Rtd'")
    assert ("20261117062700", "3.14") in held


def test_changed_content_is_sent_again_as_a_correction_and_equal_content_is_not(
    site: ExportSite, port: int
) -> None:
    write_rows(site, TABLE, province_rows(FIRST, value=10.0))
    with platform("province", site.root, port, NOW):
        build(site, port)
        send(site, port)
        again = build(site, port)
        write_rows(site, TABLE, province_rows(FIRST, value=10.0, outlets=["DA002", "DW001"])
                   + province_rows(FIRST, value=11.0, outlets=["DA001"]))  # fmt: skip
        changed = build(site, port)
        ended = send(site, port)
    assert (again.enqueued, again.corrections, again.unchanged) == ([], [], 3)
    assert changed.corrections == ["province_hj212_hour:province_hj212:DA001:20261116T160000Z:1"]
    assert ended.by_state == {"acknowledged": 4}
    query = "select value from \"values\" where factor_code = 'a21026' and field = 'Avg'"
    assert stored(site.root, "province", query) == [("11.00",)]


def test_a_poison_submission_is_isolated_and_the_rest_goes_on(site: ExportSite, port: int) -> None:
    rows = [row for at in hours(FIRST, 6) for row in province_rows(at)]
    for row in rows:
        if row["outlet_id"] == "DA001" and row["period_start_utc"] == FIRST:
            row["min_value"] = 99.0  # minimum above average: the platform stays silent
    write_rows(site, TABLE, rows)
    with platform("province", site.root, port, NOW):
        build(site, port)
        ended = send(site, port)
    assert ended.by_state == {"acknowledged": 17, "rejected": 1}
    key = "province_hj212_hour:province_hj212:DA001:20261116T160000Z:0"
    assert f"submission_rejected:{key}" in findings(site)


def test_a_command_for_the_control_zone_is_refused_and_shown(site: ExportSite, port: int) -> None:
    write_rows(site, TABLE, province_rows(FIRST))
    mn = DEVICES["DA001"].mn
    with platform("province", site.root, port, NOW) as control:
        build(site, port)
        with dispatching(site, port):
            wait_until(lambda: _states(site) == {"acknowledged"}, "the acknowledgements")
            clock = ask(
                control, {"do": "request", "mn": mn, "cn": "1012", "content": "SystemTime=20261117063000"}
            )
            interval = ask(control, {"do": "request", "mn": mn, "cn": "1062", "content": "RtdInterval=30"})
            period = "BeginTime=20261117000000;EndTime=20261117000000"
            data = ask(control, {"do": "request", "mn": mn, "cn": "2061", "content": period})
    assert (clock["QnRtn"], interval["QnRtn"]) == ("2", "2")
    assert (data["QnRtn"], data["ExeRtn"]) == ("1", "100")
    refused = {f"host_command_refused:province_hj212/CN{cn}/{mn}" for cn in ("1012", "1062")}
    assert refused <= findings(site)
    with site.state.read() as conn:
        logged = conn.scalars(
            select(merkle_leaves.c.body).where(merkle_leaves.c.kind == "host_command_refused")
        )
        bodies = list(logged)
    assert any("CN=1012" in body for body in bodies)
    assert not any("aB3xYz" in body for body in bodies), "the password does not belong in the log"


def test_the_ledger_follows_every_submission_from_queued_to_acknowledged(site: ExportSite, port: int) -> None:
    write_rows(site, TABLE, province_rows(FIRST))
    with platform("province", site.root, port, NOW):
        build(site, port)
        send(site, port)
    with site.state.read() as conn:
        events = conn.execute(
            select(submission_events.c.submission_id, submission_events.c.to_state).order_by(
                submission_events.c.event_id
            )
        ).all()
    paths: dict[int, list[str]] = {}
    for submission_id, state in events:
        paths.setdefault(submission_id, []).append(state)
    assert list(paths.values()) == [["queued", "sending", "acknowledged"]] * 3


def test_a_drain_beside_a_running_dispatcher_waits_for_it_and_sends_nothing_itself(
    site: ExportSite, port: int
) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 6) for row in province_rows(at)])
    with platform("province", site.root, port, NOW), dispatching(site, port):
        build(site, port)
        ended = send(site, port)
    assert ended.by_state == {"acknowledged": 18}
    assert stored(site.root, "province", "select count(*), sum(duplicate) from frames") == [(18, 0)]


def test_a_second_dispatcher_is_turned_away(site: ExportSite, port: int) -> None:
    endpoints = {"province_hj212": province(port)}
    with dispatching(site, port):
        wait_until(lambda: _is_beating(site), "the first dispatcher")
        with pytest.raises(LeaseHeldError, match="dispatch"):
            run_dispatcher(
                site, REPORTS, endpoints, log_key=site.root / "pki/log_sign.pem", stop=threading.Event()
            )


def test_an_endpoint_of_another_environment_gets_nothing(site: ExportSite, port: int) -> None:
    write_rows(site, TABLE, province_rows(FIRST))
    elsewhere = replace(site, environment="laptop")
    with platform("province", site.root, port, NOW):
        built = build(elsewhere, port)
        ended = send(elsewhere, port, timeout_s=2)
    assert "laptop" in built.refused["province_hj212"].reason_en
    assert ended.by_state == {}
    assert stored(site.root, "province", "select * from frames") == []
    assert "endpoint_refused:province_hj212/environment_not_listed" in findings(site)


def _is_beating(site: ExportSite) -> bool:
    with site.state.read() as conn:
        return any(beat.process == "dispatch" for beat in heartbeats(conn))


def _states(site: ExportSite) -> set[str]:
    with site.state.read() as conn:
        return set(conn.scalars(select(submissions.c.state)))
