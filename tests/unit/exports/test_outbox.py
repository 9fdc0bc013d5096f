from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from exports.claims import claim, settle_delivery
from exports.errors import ExportError, SpecError
from exports.observations import enqueue_observations
from exports.outbox import BuildReport, build_due, resubmit
from exports.render.hj212 import frames_of
from exports.reports import ReportSpec
from exports.site import ExportSite
from exports.submissions import State, transition
from exports.transports.base import Delivery
from lake.findings import open_findings
from lake.state_tables import merkle_leaves, submission_events, submissions
from tests.fakes.export_site import (
    DEVICES,
    SetClock,
    hours,
    local,
    make_site,
    observe,
    park,
    park_rows,
    province,
    province_rows,
    report,
    write_rows,
)

NOW = local("2026-11-17T06:30:00")
FIRST = local("2026-11-17T00:00:00")
TABLE = "reg_province__hj212_hour"
ENDPOINTS = {"province_hj212": province(1), "park_https": park(2)}
HOUR = {"province_hj212_hour": report()}
STREAM = {"province_hj212_realtime": report("province_hj212_realtime", due_minutes=0)}


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(NOW))


def build(site: ExportSite, reports: dict[str, ReportSpec] = HOUR) -> BuildReport:
    return build_due(site, reports, ENDPOINTS, since=FIRST)


def rows(site: ExportSite) -> list[Any]:
    with site.state.read() as conn:
        return list(conn.execute(select(submissions).order_by(submissions.c.submission_id)))


def findings(site: ExportSite) -> dict[str, str]:
    with site.state.read() as conn:
        return {row["finding_key"]: row["cause_en"] for row in open_findings(conn)}


def acknowledge_all(site: ExportSite, endpoint_id: str = "province_hj212") -> None:
    while True:
        with site.state.begin() as conn:
            claimed = claim(conn, ENDPOINTS[endpoint_id], 100, site.clock.now())
            for one in claimed:
                settle_delivery(conn, one, Delivery(b"ok", "r", "00"), site.clock.now())
        if not claimed:
            return


def test_a_build_stores_content_event_and_leaf_together(site: ExportSite) -> None:
    version = write_rows(site, TABLE, province_rows(FIRST))
    built = build(site)
    stored = rows(site)
    assert [row.idempotency_key for row in stored] == built.enqueued
    assert {(row.delta_version, row.source_table) for row in stored} == {(version, TABLE)}
    assert built.delta_versions == {TABLE: version}
    with site.state.read() as conn:
        events = list(conn.execute(select(submission_events.c.to_state)))
        facts = [
            json.loads(b)
            for b in conn.scalars(select(merkle_leaves.c.body).order_by(merkle_leaves.c.leaf_index))
        ]
    assert events == [("queued",)] * len(DEVICES)
    assert [fact["content_sha256"] for fact in facts] == [row.content_sha256 for row in stored]


def test_the_same_build_again_queues_nothing(site: ExportSite) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 6) for row in province_rows(at)])
    assert len(build(site).enqueued) == 18
    again = build(site)
    assert (again.enqueued, again.corrections, again.unchanged) == ([], [], 18)
    assert len(rows(site)) == 18


def test_a_period_that_has_not_fallen_due_is_not_queued(site: ExportSite) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 7) for row in province_rows(at)])
    assert len(build(site).enqueued) == 6 * 3
    assert isinstance(site.clock, SetClock)
    site.clock.at = local("2026-11-17T07:10:00")
    assert len(build(site).enqueued) == 3


def test_every_submission_of_a_device_has_its_own_qn_whatever_the_report(site: ExportSite) -> None:
    write_rows(site, TABLE, [row for at in hours(FIRST, 6) for row in province_rows(at)])
    build(site)
    observe(site, "DA001", NOW)
    enqueue_observations(site, STREAM, ENDPOINTS)
    numbers = [(frame.mn, frame.qn) for row in rows(site) for frame in frames_of(row.content)]
    assert len(numbers) == 19
    assert len(set(numbers)) == len(numbers)


def test_content_that_changes_while_it_waits_is_corrected_only_after_its_answer(site: ExportSite) -> None:
    write_rows(site, TABLE, province_rows(FIRST, value=1.0, outlets=["DA001"]))
    build(site)
    write_rows(site, TABLE, province_rows(FIRST, value=2.0, outlets=["DA001"]))
    assert build(site).corrections == []
    acknowledge_all(site)
    corrected = build(site)
    assert [key.rsplit(":", 1)[1] for key in corrected.corrections] == ["1"]
    assert build(site).corrections == []
    with site.state.read() as conn:
        details = list(
            conn.scalars(select(submission_events.c.detail).where(submission_events.c.from_state.is_(None)))
        )
    assert json.loads(details[1])["reason"].startswith("correction: the content changed after revision 0")


def test_a_gap_is_told_by_outlet_and_period_and_closed_when_filled(site: ExportSite) -> None:
    there = [row for at in hours(FIRST, 6) for row in province_rows(at)]
    without = [r for r in there if (r["outlet_id"], r["period_start_utc"]) != ("DW001", hours(FIRST, 3)[2])]
    write_rows(site, TABLE, without)
    built = build(site)
    assert built.missing == ["province_hj212_hour: DW001 2026-11-17 02:00"]
    assert "DW001 2026-11-17 02:00" in findings(site)["report_rows_missing:province_hj212_hour"]
    write_rows(site, TABLE, there)
    assert build(site).missing == []
    assert "report_rows_missing:province_hj212_hour" not in findings(site)


def test_a_report_with_a_gate_is_not_built_past_it(site: ExportSite) -> None:
    with pytest.raises(SpecError, match="province_hourly"):
        build(site, {"province_hj212_hour": report(gate="province_hourly")})


def test_a_report_without_its_table_queues_nothing_and_fails_nothing(site: ExportSite) -> None:
    built = build(site)
    assert (built.enqueued, built.delta_versions) == ([], {})


def test_one_period_that_cannot_be_written_keeps_back_no_other(site: ExportSite) -> None:
    there = [row for at in hours(FIRST, 6) for row in province_rows(at, outlets=["DA001"])]
    there[0]["avg_value"] = float("nan")
    write_rows(site, TABLE, there)
    built = build(site)
    assert len(built.enqueued) == 5
    assert len(built.failed) == 1
    assert "finite" in findings(site)["report_unrenderable:province_hj212_hour/province_hj212"]


def test_the_park_gets_one_submission_a_period_for_the_whole_site(site: ExportSite) -> None:
    write_rows(site, "reg_park__outlet_hourly", [row for at in hours(FIRST, 3) for row in park_rows(at)])
    build(site, {"park_outlet_hourly": report("park_outlet_hourly")})
    assert [row.subject_id for row in rows(site)] == ["reference_plant"] * 3
    assert "sequence" not in json.loads(rows(site)[0].content)


def test_a_rendering_that_the_transport_does_not_carry_is_told(site: ExportSite) -> None:
    write_rows(site, "reg_park__outlet_hourly", park_rows(FIRST))
    built = build(site, {"park_outlet_hourly": report("park_outlet_hourly", endpoints=["province_hj212"])})
    assert built.enqueued == []
    assert "https_json" in built.failed[0]


def test_a_refused_endpoint_is_a_leaf_once_and_the_finding_closes(site: ExportSite) -> None:
    write_rows(site, TABLE, province_rows(FIRST))
    inactive = {"province_hj212": province(1, status="inactive")}
    for _ in range(3):
        assert build_due(site, HOUR, inactive, since=FIRST).refused
    with site.state.read() as conn:
        assert list(conn.scalars(select(merkle_leaves.c.kind))) == ["refusal"]
    assert "endpoint_refused:province_hj212/status_inactive" in findings(site)
    build(site)
    assert "endpoint_refused:province_hj212/status_inactive" not in findings(site)


def test_observations_are_queued_once_and_late_ones_too(site: ExportSite) -> None:
    observe(site, "DA001", local("2026-11-17T06:02:00"))
    assert enqueue_observations(site, STREAM, ENDPOINTS) == 1
    assert enqueue_observations(site, STREAM, ENDPOINTS) == 0
    observe(site, "DA001", local("2026-11-17T06:01:00"))
    assert enqueue_observations(site, STREAM, ENDPOINTS, after_id=1) == 1
    assert {row.mode for row in rows(site)} == {"stream"}


def test_an_observation_of_an_unregistered_outlet_is_told_and_the_others_go(site: ExportSite) -> None:
    observe(site, "DA001", NOW)
    with site.state.begin() as conn:
        conn.exec_driver_sql("update stream_observations set outlet_id = 'DA009'")
    observe(site, "DA001", NOW)
    assert enqueue_observations(site, STREAM, ENDPOINTS) == 1
    assert "DA009" in findings(site)["report_unrenderable:province_hj212_realtime/province_hj212"]


def test_a_person_can_have_settled_content_sent_again(site: ExportSite) -> None:
    write_rows(site, TABLE, province_rows(FIRST, outlets=["DA001"]))
    (key,) = build(site).enqueued
    with pytest.raises(ExportError, match="queued"):
        resubmit(site, HOUR, ENDPOINTS, key, "the platform lost its disk")
    acknowledge_all(site)
    again = resubmit(site, HOUR, ENDPOINTS, key, "the platform lost its disk")
    assert again == key[:-1] + "1"
    first, second = rows(site)
    assert frames_of(first.content)[0].cp == frames_of(second.content)[0].cp
    assert frames_of(first.content)[0].qn != frames_of(second.content)[0].qn
    with pytest.raises(ExportError, match="latest revision is 1"):
        resubmit(site, HOUR, ENDPOINTS, key, "again")


def test_a_submission_cannot_skip_a_state(site: ExportSite) -> None:
    write_rows(site, TABLE, province_rows(FIRST, outlets=["DA001"]))
    build(site)
    with pytest.raises(ExportError, match="no step"), site.state.begin() as conn:
        transition(conn, 1, State.QUEUED, State.ACKNOWLEDGED, NOW)
    with pytest.raises(ExportError, match="found queued"), site.state.begin() as conn:
        transition(conn, 1, State.SENDING, State.QUEUED, NOW)
    assert rows(site)[0].state == "queued"
