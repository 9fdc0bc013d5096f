"""Whatever byte is altered in the store or in the log's files is found and named."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exports.checkpoints import Checkpointer, log_origin
from exports.claims import claim, expire_overdue, settle_delivery, settle_refusal
from exports.errors import PermanentError
from exports.file_check import FileCheck
from exports.outbox import build_due
from exports.site import ExportSite
from exports.store_check import StoreReport, check_store
from exports.transports.base import Delivery
from tests.fakes.export_site import (
    SetClock,
    hours,
    local,
    make_site,
    province,
    province_rows,
    report,
    write_rows,
)
from tests.fakes.tampering import Tamperer

NOW = local("2026-11-17T23:30:00")
FIRST = local("2026-11-17T00:00:00")
ENDPOINTS = {"province_hj212": province(1, order={"window": 50}, expire={"scheduled_after_minutes": 300})}
REPORTS = {"province_hj212_hour": report()}
SIGN_KEY = Ed25519PrivateKey.generate()
HOURS = 20


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> ExportSite:
    """Submissions acknowledged, refused, expired and waiting; several checkpoints."""
    made = make_site(tmp_path_factory.mktemp("site"), SetClock(NOW))
    write_rows(made, "reg_province__hj212_hour", [r for at in hours(FIRST, HOURS) for r in province_rows(at)])
    build_due(made, REPORTS, ENDPOINTS, since=FIRST)
    checkpointer = Checkpointer(made.state, made.site_id, SIGN_KEY, made.lake.export_log)
    endpoint = ENDPOINTS["province_hj212"]
    for turn in range(5):
        checkpointer.sign()
        with made.state.begin() as conn:
            for one in claim(conn, endpoint, 8, NOW):
                if one.submission_id % 5:
                    settle_delivery(
                        conn, one, Delivery(f"receipt {one.submission_id}".encode(), "r", "00"), NOW
                    )
                else:
                    settle_refusal(conn, one, PermanentError("no such factor", body=b"no"), NOW)
            if turn == 4:
                assert expire_overdue(conn, endpoint, NOW)
    checkpointer.sign()
    made.state.close()
    return made


def check(site: ExportSite, kept: str | None = None) -> StoreReport:
    return check_store(site.state, site.site_id, site.lake.export_log, SIGN_KEY.public_key(), kept)


@pytest.fixture
def site(filled: ExportSite, tmp_path: Path) -> ExportSite:
    """A copy that a test may spoil."""
    shutil.copytree(filled.root, tmp_path / "copy")
    return make_site(tmp_path / "copy", SetClock(NOW))


def test_an_untouched_store_holds(filled: ExportSite) -> None:
    found = check(filled)
    assert found.faults == []
    assert (found.submissions, found.checkpoints, found.unsigned) == (HOURS * 3, 6, 0)
    assert found.leaves > HOURS * 3 + 40


def flip(site: ExportSite, seed: int, count: int) -> None:
    tamperer = Tamperer(site.root / "var" / "state.db", site.lake.export_log, seed)
    print(f"seed {seed}, {count} flips")  # noqa: T201 - what was injected, for whoever repeats it
    for number in range(count):
        with tamperer.flipped() as flipped:
            faults = check(site).faults
        assert any(flipped.named in fault for fault in faults), (number, flipped, faults)
    assert check(site).faults == []


def test_a_flipped_bit_is_found_and_named(site: ExportSite) -> None:
    flip(site, seed=6962, count=25)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_thousand_flipped_bits_are_each_found_and_named(site: ExportSite) -> None:
    flip(site, seed=1000, count=1000)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("delete from submissions where submission_id = 7", "submission 7: the log has it"),
        ("delete from receipts where submission_id = 2", "0 receipts, the log has 1"),
        ("delete from merkle_leaves where leaf_index = 7", "leaf 7: missing"),
        ("delete from merkle_leaves where leaf_index > 70", "leaf 71: missing"),
        ("update submissions set submission_id = 900 where submission_id = 9", "submission 900"),
    ],
)
def test_what_was_removed_or_moved_is_named(site: ExportSite, statement: str, named: str) -> None:
    with closing(sqlite3.connect(site.root / "var" / "state.db")) as connection, connection:
        connection.execute(statement)
    faults = check(site).faults
    assert any(named in fault for fault in faults), faults


def test_a_missing_tile_and_a_foreign_file_are_named(site: ExportSite) -> None:
    folder = site.lake.export_log
    tile = next(folder.glob("tile/0/000.p/*"))
    for path in folder.glob("tile/0/000.p/*"):
        path.unlink()
    (folder / "note.txt").write_text("x")
    faults = check(site).faults
    assert any(str(tile.parent) in fault for fault in faults), faults
    assert any("note.txt: no file of a log" in fault for fault in faults), faults


def test_a_whole_rewritten_log_is_found_by_a_checkpoint_kept_elsewhere(
    site: ExportSite, tmp_path: Path
) -> None:
    kept = (site.lake.export_log / "checkpoint").read_text()
    assert check(site, kept).faults == []
    other = make_site(tmp_path / "other", SetClock(NOW))
    rows = [r for at in hours(FIRST, HOURS) for r in province_rows(at, value=1.0)]
    write_rows(other, "reg_province__hj212_hour", rows)
    build_due(other, REPORTS, ENDPOINTS, since=FIRST)
    Checkpointer(other.state, other.site_id, SIGN_KEY, other.lake.export_log).sign()
    assert check(other).faults == []
    assert any("cut off" in fault for fault in check(other, kept).faults)


def test_a_copy_of_the_files_is_checked_without_the_state(filled: ExportSite, tmp_path: Path) -> None:
    copy = tmp_path / "usb"
    shutil.copytree(filled.lake.export_log, copy)
    kept = filled.lake.export_log.joinpath("checkpoint").read_text()
    files = FileCheck(copy, log_origin(filled.site_id), SIGN_KEY.public_key())
    assert [*files.faults(), *files.kept_faults(kept)] == []
    bundle = next(copy.glob("tile/entries/000.p/*"))
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"!")
    assert any(str(bundle) in fault for fault in files.faults())


def test_tiles_written_before_their_checkpoint_are_no_fault(site: ExportSite) -> None:
    """As a kill between the tiles and the checkpoint leaves them."""
    folder = site.lake.export_log
    older = (folder / "checkpoint").read_bytes()
    build_due(site, REPORTS, {"province_hj212": ENDPOINTS["province_hj212"]}, since=FIRST)
    with site.state.begin() as conn:
        claimed = claim(conn, ENDPOINTS["province_hj212"], 1, NOW)
        for one in claimed:
            settle_delivery(conn, one, Delivery(b"late", "r", "00"), NOW)
    checkpointer = Checkpointer(site.state, site.site_id, SIGN_KEY, folder)
    checkpointer.sign()
    (folder / "checkpoint").write_bytes(older)
    found = list(FileCheck(folder, log_origin(site.site_id), SIGN_KEY.public_key()).faults())
    assert found == []
    Checkpointer(site.state, site.site_id, SIGN_KEY, folder).sign()
    assert check(site).faults == [], "the next process publishes what was signed"
