"""A past submission is made again bit for bit from what it was made of, or it is said what is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from exports import rebuilding
from exports.claims import claim, settle_delivery
from exports.observations import enqueue_observations
from exports.outbox import build_due, resubmit
from exports.rebuilding import Outcome, rebuild
from exports.site import ExportSite
from exports.transports.base import Delivery
from lake.state_tables import merkle_leaves, stream_observations, submissions
from protocols.content_hashes import sm3_hex
from tests.fakes.export_site import (
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
ENDPOINTS = {"province_hj212": province(1, order={"window": 50}), "park_https": park(1)}
NAMES = ("province_hj212_realtime", "province_hj212_hour", "park_outlet_hourly")
REPORTS = {name: report(name) for name in NAMES}
HOUR_KEY = "province_hj212_hour:province_hj212:DA001:20261116T160000Z:0"


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    """Real-time, hourly and JSON reports queued; the rows they came of were corrected since."""
    made = make_site(tmp_path, SetClock(NOW))
    observe(made, "DA001", NOW)
    starts = hours(FIRST, 2)
    write_rows(made, "reg_province__hj212_hour", [row for at in starts for row in province_rows(at)])
    write_rows(made, "reg_park__outlet_hourly", [row for at in starts for row in park_rows(at)])
    enqueue_observations(made, REPORTS, ENDPOINTS)
    build_due(made, REPORTS, ENDPOINTS, since=FIRST)
    corrected = [row for at in starts for row in province_rows(at, value=99.0)]
    write_rows(made, "reg_province__hj212_hour", corrected)
    return made


def keys(site: ExportSite) -> list[str]:
    with site.state.read() as conn:
        return list(conn.scalars(select(submissions.c.idempotency_key)))


def test_every_submission_comes_out_bit_for_bit_though_its_rows_were_corrected(site: ExportSite) -> None:
    made = {key: rebuild(site, REPORTS, ENDPOINTS, key) for key in keys(site)}
    assert {key.split(":")[0] for key in made} == set(NAMES)
    assert {one.outcome for one in made.values()} == {Outcome.IDENTICAL}, made


def test_a_resubmission_comes_out_as_well(site: ExportSite) -> None:
    with site.state.begin() as conn:
        for one in claim(conn, ENDPOINTS["province_hj212"], 50, NOW):
            settle_delivery(conn, one, Delivery(b"ok", "r", "00"), NOW)
    again = resubmit(site, REPORTS, ENDPOINTS, HOUR_KEY, "the platform asks for it")
    assert rebuild(site, REPORTS, ENDPOINTS, again).outcome == Outcome.IDENTICAL


def test_a_submission_keeps_both_hashes_its_origin_and_its_code(site: ExportSite) -> None:
    with site.state.read() as conn:
        row = conn.execute(select(submissions).where(submissions.c.idempotency_key == HOUR_KEY)).one()
        body = conn.scalar(
            select(merkle_leaves.c.body).where(merkle_leaves.c.submission_id == row.submission_id)
        )
    fact = json.loads(str(body))
    assert row.content_sm3 == fact["content_sm3"] == sm3_hex(row.content)
    assert (row.delta_version, row.source_table) == (1, "reg_province__hj212_hour")
    assert row.code_version == fact["code_version"]
    assert "+" in row.code_version
    assert row.content.count(f"QN={fact['number']}".encode()) == 1


def test_a_removed_version_is_told_with_the_retention(site: ExportSite) -> None:
    path = site.lake.table("regulatory", "reg_province__hj212_hour")
    for file in path.glob("plant_date=*/*.parquet"):
        file.unlink()
    found = rebuild(site, REPORTS, ENDPOINTS, HOUR_KEY)
    assert (found.outcome, found.content) == (Outcome.REMOVED, None)
    assert "version 1: it can no longer be read" in found.detail_en
    assert "30 days" in found.detail_en
    shutil.rmtree(path)
    assert "no table" in rebuild(site, REPORTS, ENDPOINTS, HOUR_KEY).detail_en


def test_a_removed_observation_is_told(site: ExportSite) -> None:
    with site.state.begin() as conn:
        conn.execute(stream_observations.delete())
    (stream,) = [key for key in keys(site) if "realtime" in key]
    assert rebuild(site, REPORTS, ENDPOINTS, stream).outcome == Outcome.REMOVED


def test_what_comes_out_otherwise_names_the_place_and_what_changed(
    site: ExportSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "code_version", lambda: "9.9+new")
    (key,) = [key for key in keys(site) if "park" in key and "T160000Z" in key]
    changed = {**ENDPOINTS, "park_https": park(1, transport={**PARK, "enterprise_code": "ANOTHER"})}
    found = rebuild(site, REPORTS, changed, key)
    assert found.outcome == Outcome.DIFFERENT
    assert "differs from byte" in found.detail_en
    assert "→ 9.9+new" in found.detail_en


PARK = ENDPOINTS["park_https"].transport.model_dump()
