from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlalchemy import select

from exports.bundles import verify
from exports.checkpoints import Checkpointer, log_sign_key
from exports.claims import claim, settle_delivery
from exports.configuration import record_configuration
from exports.errors import ExportError
from exports.outbox import build_due
from exports.proofs import prove
from exports.site import ExportSite
from exports.transports.base import Delivery
from lake.state_tables import merkle_checkpoints, merkle_leaves
from protocols.checkpoints import Checkpoint, sign_checkpoint
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

ROOT = Path(__file__).parents[3]
NOW = local("2026-11-17T06:30:00")
FIRST = local("2026-11-17T00:00:00")
ENDPOINTS = {"province_hj212": province(1, order={"window": 10})}
REPORTS = {"province_hj212_hour": report()}
KEY = "province_hj212_hour:province_hj212:DA001:20261116T160000Z:0"


@pytest.fixture
def sign_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    """Eighteen submissions queued; the first three of each outlet acknowledged."""
    made = make_site(tmp_path, SetClock(NOW))
    write_rows(made, "reg_province__hj212_hour", [r for at in hours(FIRST, 6) for r in province_rows(at)])
    build_due(made, REPORTS, ENDPOINTS, since=FIRST)
    with made.state.begin() as conn:
        for one in claim(conn, ENDPOINTS["province_hj212"], 9, NOW):
            settle_delivery(conn, one, Delivery(f"receipt {one.submission_id}".encode(), "r", "00"), NOW)
    return made


def bundle_of(site: ExportSite, sign_key: Ed25519PrivateKey, key: str = KEY) -> dict[str, Any]:
    Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log).sign()
    return prove(site.state, site.site_id, site.lake.export_log, key)


def test_a_bundle_survives_json_and_verifies_with_the_public_key_alone(
    site: ExportSite, sign_key: Ed25519PrivateKey
) -> None:
    bundle = json.loads(json.dumps(bundle_of(site, sign_key)))
    assert [json.loads(fact["body"])["kind"] for fact in bundle["facts"]] == ["enqueued", "acknowledged"]
    assert verify(bundle, sign_key.public_key()).holds


def test_a_submission_without_an_answer_is_proved_as_queued(
    site: ExportSite, sign_key: Ed25519PrivateKey
) -> None:
    bundle = bundle_of(site, sign_key, KEY.replace("T160000Z", "T210000Z"))
    assert (len(bundle["facts"]), bundle["receipts_base64"]) == (1, [])
    assert verify(bundle, sign_key.public_key()).holds


def _content(bundle: dict[str, Any]) -> None:
    bundle["content_base64"] = "QUJD"


def _receipt(bundle: dict[str, Any]) -> None:
    bundle["receipts_base64"] = ["QUJD"]


def _no_receipt(bundle: dict[str, Any]) -> None:
    bundle["receipts_base64"] = []


def _fact(bundle: dict[str, Any]) -> None:
    bundle["facts"][1]["body"] = bundle["facts"][1]["body"].replace("acknowledged", "rejected")


def _place(bundle: dict[str, Any]) -> None:
    bundle["facts"][0]["leaf_index"] += 1


def _head(bundle: dict[str, Any]) -> None:
    bundle["checkpoint"] = bundle["checkpoint"].replace("\n27\n", "\n28\n")


def _key(bundle: dict[str, Any]) -> None:
    bundle["idempotency_key"] = KEY[:-1] + "1"


def _format(bundle: dict[str, Any]) -> None:
    bundle["format_version"] = 3


@pytest.mark.parametrize("tamper", [_content, _receipt, _no_receipt, _fact, _place, _head, _key, _format])
def test_a_bundle_that_was_tampered_with_does_not_hold(
    site: ExportSite, sign_key: Ed25519PrivateKey, tamper: Callable[[dict[str, Any]], None]
) -> None:
    bundle = bundle_of(site, sign_key)
    forged = copy.deepcopy(bundle)
    tamper(forged)
    assert forged != bundle, "nothing was tampered with"
    assert not verify(forged, sign_key.public_key()).holds


def test_a_bundle_of_another_key_does_not_hold(site: ExportSite, sign_key: Ed25519PrivateKey) -> None:
    assert not verify(bundle_of(site, sign_key), Ed25519PrivateKey.generate().public_key()).holds


def test_a_bundle_continues_a_checkpoint_that_somebody_kept(
    site: ExportSite, sign_key: Ed25519PrivateKey
) -> None:
    checkpointer = Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log)
    checkpointer.sign()
    kept = (site.lake.export_log / "checkpoint").read_text()
    record_configuration(site, REPORTS, ENDPOINTS)
    checkpointer.sign()
    record_configuration(site, REPORTS, {})
    last = "province_hj212_hour:province_hj212:DA001:20261116T210000Z:0"
    bundle = prove(site.state, site.site_id, site.lake.export_log, last, kept)
    assert verify(bundle, sign_key.public_key(), kept).faults == ()
    forged = Checkpoint("chemlink/reference_plant/exports", 27, bytes(32))
    other = sign_checkpoint(forged, forged.origin, sign_key)
    assert "rewritten" in verify(bundle, sign_key.public_key(), other).faults[0]
    unknown = sign_checkpoint(replace(forged, tree_size=28), forged.origin, sign_key)
    assert "proves nothing of the kept checkpoint" in verify(bundle, sign_key.public_key(), unknown).faults[0]
    bundle["earlier"][0]["consistency_proof"] = ["00" * 32]
    assert not verify(bundle, sign_key.public_key()).holds


def test_a_bundle_of_the_first_format_is_still_checked(site: ExportSite, sign_key: Ed25519PrivateKey) -> None:
    bundle = bundle_of(site, sign_key)
    del bundle["earlier"]
    assert verify({**bundle, "format_version": 1}, sign_key.public_key()).holds


@pytest.mark.parametrize("broken", ["facts", "checkpoint", "content_base64", "log"])
def test_a_damaged_bundle_is_told_and_raises_nothing(
    site: ExportSite, sign_key: Ed25519PrivateKey, broken: str
) -> None:
    bundle = bundle_of(site, sign_key)
    for wrong in (None, 7, "x", [{}]):
        assert not verify({**bundle, broken: wrong}, sign_key.public_key()).holds


def test_checking_needs_neither_lake_nor_state() -> None:
    told = (
        "import sys, exports.bundles, exports.file_check, orchestration.proving; "
        "print(sorted({name.split('.')[0] for name in sys.modules}"
        " & {'lake', 'sqlalchemy', 'deltalake', 'pyarrow', 'dagster'}))"
    )
    ran = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_what_is_not_under_a_checkpoint_cannot_be_proved(site: ExportSite) -> None:
    with pytest.raises(ExportError, match="checkpoint"):
        prove(site.state, site.site_id, site.lake.export_log, KEY)
    with pytest.raises(ExportError, match="no such submission"):
        prove(site.state, site.site_id, site.lake.export_log, "nothing")


def test_a_checkpoint_is_signed_when_the_log_grew_and_only_then(
    site: ExportSite, sign_key: Ed25519PrivateKey
) -> None:
    checkpointer = Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log)
    first = checkpointer.sign()
    assert first is not None
    assert first.tree_size == 18 + 9
    assert checkpointer.sign() is None
    next_process = Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log)
    assert next_process.sign() is None
    record_configuration(site, REPORTS, ENDPOINTS)
    second = checkpointer.sign()
    assert second is not None
    assert second.tree_size == first.tree_size + 2


@pytest.mark.parametrize(
    ("deed", "complaint"),
    [
        ("update merkle_leaves set leaf_sha256 = '{other}' where leaf_index = 3", "altered"),
        ("delete from merkle_leaves where leaf_index = 3", "removed"),
        ("delete from merkle_leaves where leaf_index > 20", "altered"),
    ],
)
def test_an_altered_log_is_not_signed_again(
    site: ExportSite, sign_key: Ed25519PrivateKey, deed: str, complaint: str
) -> None:
    Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log).sign()
    with site.state.begin() as conn:
        conn.exec_driver_sql(deed.format(other="00" * 32))
    with pytest.raises(ExportError, match=complaint):
        Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log).sign()


def test_a_changed_declaration_is_a_leaf_and_an_unchanged_one_is_not(site: ExportSite) -> None:
    assert record_configuration(site, REPORTS, ENDPOINTS) == [
        "report province_hj212_hour",
        "endpoint province_hj212",
    ]
    assert record_configuration(site, REPORTS, ENDPOINTS) == []
    assert record_configuration(site, REPORTS, {"province_hj212": province(2)}) == ["endpoint province_hj212"]
    assert record_configuration(site, REPORTS, {}) == ["endpoint province_hj212"]
    assert record_configuration(site, REPORTS, {}) == []


def test_a_disk_that_refuses_the_log_key_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("exports.checkpoints.os.fdopen", refuse)
        with pytest.raises(OSError, match="No space"):
            log_sign_key(tmp_path / "log_sign.pem")
    made = log_sign_key(tmp_path / "log_sign.pem")
    verify_key = (tmp_path / "log_verify.pem").read_bytes()
    assert load_pem_public_key(verify_key) == made.public_key()
    assert (tmp_path / "log_sign.pem").stat().st_mode & 0o777 == 0o600


def test_the_log_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "pki/log_sign.pem"
    made = log_sign_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert log_sign_key(path).private_bytes_raw() == made.private_bytes_raw()
    assert "PUBLIC KEY" in (tmp_path / "pki/log_verify.pem").read_text()


def test_leaves_and_checkpoints_carry_plant_time(site: ExportSite, sign_key: Ed25519PrivateKey) -> None:
    assert isinstance(site.clock, SetClock)
    site.clock.at = NOW + timedelta(hours=1)
    Checkpointer(site.state, site.site_id, sign_key, site.lake.export_log).sign()
    with site.state.read() as conn:
        assert conn.scalar(select(merkle_checkpoints.c.created_at_utc)) == "2026-11-16T23:30:00.000000+00:00"
        body = conn.scalar(select(merkle_leaves.c.body).where(merkle_leaves.c.leaf_index == 0))
    assert json.loads(str(body))["at_utc"] == "2026-11-16T22:30:00.000000+00:00"
