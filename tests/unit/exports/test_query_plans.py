"""Questions that are asked for every submission must not grow slower with the history."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from exports.claims import claim, is_anything_ready, last_sequence
from exports.observations import enqueue_observations
from exports.site import ExportSite
from tests.fakes.export_site import SetClock, local, make_site, observe, province, report

NOW = local("2026-11-17T06:30:00")


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(NOW))


def test_no_question_of_the_send_path_sorts_or_reads_the_whole_history(site: ExportSite) -> None:
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(_conn: object, _cursor: object, statement: str, given: tuple[object, ...], *_: object) -> None:
        if (
            statement.startswith("SELECT") and "row_number" not in statement
        ):  # a claim sorts the backlog it has
            asked.append((statement, given))

    reports = {"province_hj212_realtime": report("province_hj212_realtime")}
    endpoint = province(1)
    observe(site, "DA001", NOW)
    event.listen(site.state.engine, "before_cursor_execute", listen)
    enqueue_observations(site, reports, {"province_hj212": endpoint})
    with site.state.begin() as conn:
        assert is_anything_ready(conn, endpoint, NOW)
        assert claim(conn, endpoint, 10, NOW)
        last_sequence(conn, "province_hj212", "province_hj212_realtime")
    event.remove(site.state.engine, "before_cursor_execute", listen)
    assert len(asked) > 4
    with site.state.read() as conn:
        for statement, given in asked:
            plan = [row[3] for row in conn.exec_driver_sql(f"explain query plan {statement}", given)]
            sorted_whole = "USE TEMP B-TREE FOR ORDER BY" in plan and "submissions" in statement
            assert not sorted_whole, f"{statement}\n{plan}"
