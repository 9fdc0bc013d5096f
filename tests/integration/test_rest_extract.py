"""HTTP interfaces end to end against a real server: paging, politeness, faults, changes, wrong records."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.context import Outcome
from ingestion.errors import (
    ContractBreachError,
    PermanentError,
    RegistryError,
    ShrunkenSourceError,
    SourceUnavailableError,
)
from ingestion.registry import load_registry
from ingestion.rest.client import RestClient
from ingestion.site_files import RestSite
from lake import tables
from tests.fakes.file_site import SYSTEM, TICKETS, FileSite, contract_text, make_file_site, reopened
from tests.fakes.rest_server import RestServer, own_certificate, rest_server

LAYOUTS: dict[str, dict[str, Any]] = {
    "link": {"record": "data.items", "paging": "link", "next_field": "links.next"},
    "page": {"paging": "page", "size_parameter": "size", "page_size": 3},
    "offset": {"record": "items", "paging": "offset", "page_parameter": "offset"},
    "token": {"record": "items", "paging": "token", "next_field": "next_token", "page_parameter": "token"},
    "odata": {"profile": "odata"},
}
CURSOR = {"cursorColumn": "weighed_at_utc", "cursorOverlap": 3600}


def ticket(number: int, *, kg: Any = 10.5, hour: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "ticket_no": f"T-{number:03}", "weighed_at_utc": f"2026-11-16T{hour:02}:30:00Z",
        "plate_no": "苏A·1", "net_weight_kg": kg, "axle_count": 2, "is_inbound": True,
        "due_date": "2026-12-01", "status_code": "open", **more,
    }  # fmt: skip


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as running:
        yield running


Connected = Callable[..., FileSite]


@pytest.fixture
def connected(tmp_path: Path, server: RestServer) -> Connected:
    def make(style: str = "token", mode: str = "snapshot_diff", **rest: Any) -> FileSite:
        has_cursor = mode.startswith("cursor")
        text = contract_text("tickets", TICKETS, mode, **(CURSOR if has_cursor else {}))
        make_file_site(tmp_path, {"tickets": text})
        folder = tmp_path / "systems" / SYSTEM
        system = (folder / "system.yml").read_text(encoding="utf-8")
        (folder / "system.yml").write_text(system.replace("kind: files", "kind: rest"), encoding="utf-8")
        since = {"since_parameter": "since"} if has_cursor and style != "odata" else {}
        layout = {"schema_version": 1, "tables": {"tickets": {**LAYOUTS[style], **since}}}
        (folder / "rest.yml").write_text(yaml.safe_dump(layout), encoding="utf-8")
        said = {"base_url": f"{server.url}/{style}", "requests_per_s": 1000, "attempts": 2, **rest}
        (tmp_path / "systems" / f"{SYSTEM}.yml").write_text(
            yaml.safe_dump({"schema_version": 1, "system_id": SYSTEM, "rest": said}), encoding="utf-8"
        )
        return reopened(tmp_path)

    return make


@pytest.mark.parametrize("style", sorted(LAYOUTS))
def test_every_kind_of_paging_brings_every_row(style: str, connected: Connected, server: RestServer) -> None:
    server.rows = [ticket(number) for number in range(1, 9)]
    site = connected(style)
    report = site.take_in()
    assert (report.outcome, report.rows_upserted) == (Outcome.LANDED, 8)
    assert str(site.present()["T-001"]["net_weight_kg"]) == "10.500"
    assert site.present()["T-001"]["weighed_at_utc"].isoformat() == "2026-11-16T01:30:00+00:00"
    assert site.take_in().outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("style", ["odata", "page"])
def test_a_cursor_asks_for_its_window_and_a_sweep_finds_what_is_gone(
    style: str, connected: Connected, server: RestServer
) -> None:
    server.rows = [ticket(number, hour=number) for number in range(1, 9)]
    site = connected(style, "cursor_sweep")
    assert site.take_in().watermark == "2026-11-16T08:30:00+00:00"
    server.rows[7] = ticket(8, hour=9, kg=11)
    server.rows[6] = ticket(7, hour=8, kg=12)  # late: stamped before the watermark, within the overlap
    del server.rows[0]
    server.asked.clear()
    report = site.take_in()
    assert (report.rows_upserted, report.rows_deleted) == (2, 1)
    assert report.watermark == "2026-11-16T09:30:00+00:00"
    asked = server.asked[0].get("since") or server.asked[0]["$filter"]
    assert asked.endswith("2026-11-16T07:30:00.000000Z")
    assert set(site.present()) == {f"T-{number:03}" for number in range(2, 9)}
    assert len({row["_extract_sequence"] for row in site.raw()}) == 2, "changes and deletion are one commit"


def test_a_complete_reading_deletes_in_the_commit_that_changes(
    connected: Connected, server: RestServer
) -> None:
    server.rows = [ticket(number) for number in range(1, 9)]
    site = connected()
    site.take_in()
    server.rows = [ticket(1, kg=99), *server.rows[2:]]
    report = site.take_in()
    assert (report.rows_upserted, report.rows_deleted, report.extract_sequence) == (1, 1, 2)


def test_a_row_that_slips_between_two_pages_is_not_taken_for_deleted(
    connected: Connected, server: RestServer
) -> None:
    server.rows = [ticket(number) for number in range(1, 9)]
    site = connected("offset")
    site.take_in()
    server.rows.insert(0, ticket(900))

    def shift() -> None:
        server.between = lambda: None
        server.rows.pop(0)  # T-003 moves into the page that was read already

    server.between = shift
    report = site.take_in()
    assert (report.rows_deleted, "T-003" in site.present()) == (0, True)
    site.take_in()
    assert set(site.present()) == {f"T-{number:03}" for number in range(1, 9)}


def test_a_row_seen_twice_counts_as_it_was_last(connected: Connected, server: RestServer) -> None:
    server.rows = [ticket(number) for number in range(1, 9)]

    def changed() -> None:
        server.between = lambda: None
        server.rows.insert(3, ticket(1, kg=77))

    server.between = changed
    site = connected("offset")
    site.take_in()
    assert str(site.present()["T-001"]["net_weight_kg"]) == "77.000"


def test_wrong_records_are_set_aside_in_both_languages_and_the_good_ones_land(
    connected: Connected, server: RestServer
) -> None:
    server.rows = [ticket(1), ticket(2, kg="heavy"), {"ticket_no": "T-003"}, "nonsense"]
    site = connected("token")
    report = site.take_in()
    assert (report.rows_upserted, report.rows_quarantined) == (1, 3)
    told = {row["record_key"]: row for row in site.quarantine}
    assert "不是数字" in told["T-002"]["reasons_zh"]
    assert "is no number" in told["T-002"]["reasons_en"]
    assert "is empty and required" in told["T-003"]["reasons_en"]
    assert None in told
    site.take_in()
    assert len(site.quarantine) == 3, "the same record again is the same row"
    server.rows = [ticket(1), ticket(2), ticket(3)]
    assert site.take_in().rows_upserted == 2
    assert not site.findings


def test_a_row_that_can_no_longer_be_read_is_not_deleted(connected: Connected, server: RestServer) -> None:
    server.rows = [ticket(number) for number in range(1, 4)]
    site = connected()
    site.take_in()
    server.rows = [ticket(1), ticket(2, kg="heavy")]
    report = site.take_in()
    assert (report.rows_deleted, report.rows_quarantined) == (1, 1)
    assert set(site.present()) == {"T-001", "T-002"}


def test_another_schema_is_a_breach_and_nothing_lands(connected: Connected, server: RestServer) -> None:
    server.rows = [{"number": 1}, {"number": 2}]
    site = connected()
    with pytest.raises(ContractBreachError, match="not one of 2 records fits"):
        site.take_in()
    assert not tables.exists(site.context.lake.table("raw", site.system.contract("tickets").name))


def test_a_table_that_suddenly_is_empty_is_not_believed(connected: Connected, server: RestServer) -> None:
    server.rows = [ticket(number) for number in range(1, 30)]
    site = connected()
    site.take_in()
    server.rows = []
    with pytest.raises(ShrunkenSourceError):
        site.take_in()
    assert len(site.present()) == 29


@pytest.mark.parametrize("status", [429, 503])
def test_a_fault_on_the_way_is_tried_again(status: int, connected: Connected, server: RestServer) -> None:
    server.rows = [ticket(number) for number in range(1, 9)]
    server.answers = [(0, {}), (status, {"Retry-After": "0"})]
    assert connected().take_in().rows_upserted == 8
    assert len(server.asked) == 4


def test_a_server_that_fails_half_way_leaves_nothing_and_the_next_run_has_all(
    connected: Connected, server: RestServer
) -> None:
    server.rows = [ticket(number) for number in range(1, 9)]
    server.answers = [(0, {}), (500, {}), (500, {})]
    site = connected()
    with pytest.raises(SourceUnavailableError, match="HTTP 500, asked 2 time"):
        site.take_in()
    assert not tables.exists(site.context.lake.table("raw", site.system.contract("tickets").name))
    assert site.take_in().rows_upserted == 8


def test_what_the_server_asks_to_wait_is_waited(server: RestServer, tmp_path: Path) -> None:
    waits: list[float] = []
    server.answers = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"})]
    allowed = RestSite(base_url=f"{server.url}/token", requests_per_s=1000)
    with RestClient(allowed, str, tmp_path, sleep=waits.append) as client:
        client.get("tickets", {})
        assert [wait for wait in waits if wait >= 0.5] == [7.0, 1.0]
        server.answers = [(429, {"Retry-After": "86400"})]
        with pytest.raises(SourceUnavailableError, match="asked 1 time"):
            client.get("tickets", {})


def test_a_private_authority_is_trusted_where_the_site_says_so_and_nowhere_else(tmp_path: Path) -> None:
    with rest_server(own_certificate(tmp_path)) as server:
        known = RestSite(base_url=f"{server.url}/token", ca_file="ca.pem")
        with RestClient(known, str, tmp_path) as client:
            assert "items" in client.get("tickets", {})
        stranger = RestSite(base_url=known.base_url, attempts=1)
        with (
            RestClient(stranger, str, tmp_path) as client,
            pytest.raises(SourceUnavailableError, match="CERTIFICATE"),
        ):
            client.get("tickets", {})


def test_no_more_requests_than_are_allowed(server: RestServer, tmp_path: Path) -> None:
    waits: list[float] = []
    allowed = RestSite(base_url=f"{server.url}/token", requests_per_s=0.01)
    with RestClient(allowed, str, tmp_path, sleep=waits.append) as client:
        client.get("tickets", {})
        client.get("tickets", {})
    (wait,) = waits
    assert 50 < wait <= 100


@pytest.mark.parametrize(
    ("rest", "header"),
    [
        ({"bearer_secret": "word"}, ("authorization", "Bearer value of word")),
        ({"api_key": {"header": "X-Key", "secret": "word"}}, ("x-key", "value of word")),
        (
            {"basic": {"user": "plant", "password_secret": "word"}},
            ("authorization", "Basic " + base64.b64encode(b"plant:value of word").decode()),
        ),
    ],
    ids=["bearer", "key", "basic"],
)
def test_credentials_come_by_name(
    rest: dict[str, Any], header: tuple[str, str], connected: Connected, server: RestServer
) -> None:
    server.rows, server.wants = [ticket(1)], header
    site = connected(**rest)
    known = replace(site.context, secrets=lambda name: f"value of {name}")
    assert FileSite(known, site.system).take_in().rows_upserted == 1
    wrong = replace(site.context, secrets=lambda _name: "old")
    with pytest.raises(PermanentError, match="refuses our credentials"):
        FileSite(wrong, site.system).take_in()


@pytest.mark.parametrize(
    ("answer", "message"),
    [((302, {"Location": "http://elsewhere/"}), "it leads to"), ((404, {}), "expected 200")],
    ids=["redirect", "nowhere"],
)
def test_what_trying_again_does_not_help_is_not_tried_again(
    answer: tuple[int, dict[str, str]], message: str, connected: Connected, server: RestServer
) -> None:
    server.answers = [answer]
    with pytest.raises(PermanentError, match=message):
        connected().take_in()
    assert len(server.asked) == 1


def test_a_link_that_leads_away_gets_no_credentials(
    connected: Connected, server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"data": {"items": [ticket(1)]}, "links": {"next": "http://elsewhere.invalid/x"}}
    monkeypatch.setattr(server, "_answer", lambda *_: away)
    with pytest.raises(PermanentError, match="leads away"):
        connected("link").take_in()


def test_pages_that_go_in_a_circle_are_noticed(
    connected: Connected, server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_answer", lambda *_: {"items": [ticket(1)], "next_token": "5"})
    with pytest.raises(PermanentError, match="an earlier one again"):
        connected("token").take_in()


def test_an_interface_without_address_is_refused(tmp_path: Path, connected: Connected) -> None:
    connected()
    (tmp_path / "systems" / f"{SYSTEM}.yml").write_text(
        f"schema_version: 1\nsystem_id: {SYSTEM}\n", encoding="utf-8"
    )
    with pytest.raises(RegistryError, match="needs `rest`"):
        load_registry(tmp_path)
