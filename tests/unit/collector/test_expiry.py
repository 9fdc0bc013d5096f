"""Certificates that end: three levels, an alarm each, a note to the business zone at a change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ingestion.collector.checking import certificate_check
from ingestion.collector.expiry import OWN, SERVER, USER, CertificateWatch, validity
from ingestion.collector.machine_check import check_machine
from ingestion.collector.settings import CertificateSettings, SettingsError, load_settings
from ingestion.collector.status import Status
from ingestion.collector.trust import CertificateDateError, require_trusted
from protocols.clock import Clock, load_clock

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ends")])


def ending_in(days: float) -> bytes:
    """A certificate (DER) that ends so many days from now; negative: ended before."""
    end = datetime.now(UTC) + timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(end - timedelta(days=400)).not_valid_after(end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


class Notes:
    """What was told to the business zone."""

    def __init__(self) -> None:
        self.details: list[str] = []

    def tell(self, tag_id: None, start: int, end: int, reason: str, *, is_open: bool, detail: str) -> None:
        assert (tag_id, reason, is_open, start) == (None, "certificate_ends", False, end)
        self.details.append(detail)


def make_site(root: Path, own_days: float, user_days: float) -> Path:
    (root / "pki" / "own").mkdir(parents=True)
    (root / "pki" / "own" / "cert.der").write_bytes(ending_in(own_days))
    (root / "user.der").write_bytes(ending_in(user_days))
    (root / "tags.csv").write_text("")
    config = root / "collector.yml"
    config.write_text(
        "{schema_version: 1, collector_id: c, servers: [{system_id: s, url: 'opc.tcp://h:1', tags: tags.csv, "
        "user: {certificate: user.der, private_key: user.pem}}]}"
    )
    return config


def watch(config: Path) -> tuple[CertificateWatch, Status, Notes]:
    settings = load_settings(config)
    status, notes = Status("s", "opc.tcp://h:1"), Notes()
    clock: Clock = load_clock(None)
    made = CertificateWatch(
        settings.certificates, settings.pki, settings.servers[0].user, status, notes, clock  # type: ignore[arg-type]
    )  # fmt: skip
    return made, status, notes


@pytest.mark.parametrize(
    ("days", "level"),
    [(400.0, "ok"), (60.1, "ok"), (59.9, "warning"), (7.1, "warning"), (6.9, "critical"), (-1.0, "critical")],
)
def test_a_certificate_is_well_then_to_be_renewed_then_pressing(days: float, level: str) -> None:
    found = validity(ending_in(days))
    assert found.level(CertificateSettings()) == level
    check = certificate_check("x", found, CertificateSettings(), ("做", "do"))
    assert check.level == {"ok": "ok", "warning": "warning", "critical": "error"}[level]


def test_when_to_warn_can_be_set_and_the_order_is_kept(tmp_path: Path) -> None:
    assert validity(ending_in(89)).level(CertificateSettings(warn_days=90)) == "warning"
    config = make_site(tmp_path, 400, 400)
    config.write_text(config.read_text()[:-1] + ", certificates: {warn_days: 5, critical_days: 6}}")
    with pytest.raises(SettingsError, match="warn earlier"):
        load_settings(config)


def test_all_three_are_watched_and_a_change_is_told_once(tmp_path: Path) -> None:
    made, status, notes = watch(make_site(tmp_path, own_days=30, user_days=3))
    made.look()
    made.look()
    assert set(status.alarms) == {OWN, USER}
    assert status.alarms[OWN].startswith("本机证书将在 30 天后")
    assert "our own certificate ends in 30 days" in status.alarms[OWN]
    assert status.alarms[USER].startswith("【紧急】用户证书")
    assert len(notes.details) == 1
    made.see_server(validity(ending_in(-2)))
    assert "服务器证书已于" in status.alarms[SERVER]
    assert "critical: the server's certificate ended on" in status.alarms[SERVER]
    assert len(notes.details) == 2
    assert {name: round(days) for name, days in status.certificate_days.items()} == {
        OWN: 30,
        USER: 3,
        SERVER: -2,
    }


def test_a_renewed_certificate_ends_its_alarm_and_a_torn_file_is_an_alarm_of_its_own(tmp_path: Path) -> None:
    made, status, notes = watch(make_site(tmp_path, own_days=30, user_days=400))
    made.look()
    own = tmp_path / "pki" / "own" / "cert.der"
    own.write_bytes(ending_in(400)[:100])
    made.look()
    assert "无法读取" in status.alarms[OWN]
    own.unlink()
    made.look()
    assert "cannot be read" in status.alarms[OWN]
    own.write_bytes(ending_in(400))
    made.look()
    assert not status.alarms
    assert len(notes.details) == 1


def test_the_check_of_the_machine_names_what_ends(tmp_path: Path) -> None:
    config = make_site(tmp_path, own_days=20, user_days=400)
    (tmp_path / "pki" / "trusted").mkdir()
    (tmp_path / "pki" / "trusted" / "server.der").write_bytes(ending_in(2))
    found = {check.subject.split(" ")[0]: check for check in check_machine(load_settings(config))}
    assert (found["own"].level, found["own"].found_en) == ("warning", "ends in 19 days")
    assert found["trusted"].level == "error"


def test_a_server_whose_trusted_certificate_is_over_is_refused_with_its_end(tmp_path: Path) -> None:
    (tmp_path / "trusted").mkdir()
    over = ending_in(-1)
    (tmp_path / "trusted" / "server.der").write_bytes(over)
    with pytest.raises(CertificateDateError, match=r"请换发证书.* / .*renew it") as refused:
        require_trusted(over, tmp_path / "trusted", tmp_path / "rejected", "opc.tcp://h:1")
    assert refused.value.not_after < datetime.now(UTC)
