"""Certificates that end: warned of in good time, critical shortly before, and told to the business zone.

They are dated by the machine's clock, as both sides of a connection compare them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from cryptography import x509

from ingestion.collector.trust import TrustError
from ingestion.collector.user_login import read_user_certificate
from protocols.opcua_time import to_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.collector.gaps import GapLog
    from ingestion.collector.settings import CertificateSettings, PkiSettings, UserSettings
    from ingestion.collector.status import Status
    from protocols.clock import Clock

Level = Literal["ok", "warning", "critical"]
OWN, SERVER, USER = "own_certificate", "server_certificate", "user_certificate"
# What each is called, and what to do, in Chinese and English.
WORDS = {
    OWN: (
        "本机证书",
        "our own certificate",
        "移走 pki/own 后运行 chemlink keys，并在各服务器上重新信任",
        "move pki/own away, run `chemlink keys`, have each server trust the new one",
    ),
    SERVER: (
        "服务器证书",
        "the server's certificate",
        "请厂商换发，再用 chemlink collect trust accept 信任新证书",
        "have its maker renew it, then `chemlink collect trust accept` the new one",
    ),
    USER: (
        "用户证书",
        "the user's certificate",
        "换发用户证书并在服务器上信任，更新 servers[].user",
        "renew it, have the server trust it, and put it where servers[].user points",
    ),
}


@dataclass(frozen=True)
class Validity:
    """How long a certificate is good for."""

    not_after: datetime

    @property
    def days_left(self) -> float:
        """Days from now, by the machine's clock; negative once it is over."""
        return (self.not_after - datetime.now(UTC)).total_seconds() / 86400

    def level(self, settings: CertificateSettings) -> Level:
        """How pressing its renewal is; critical includes one that is over."""
        days = self.days_left
        if days < settings.critical_days:
            return "critical"
        return "warning" if days < settings.warn_days else "ok"


def validity(certificate: bytes) -> Validity:
    """When a certificate (DER) ends.

    Raises:
        ValueError: it is none.
    """
    return Validity(x509.load_der_x509_certificate(certificate).not_valid_after_utc)


def user_validity(user: UserSettings | None) -> Validity | None:
    """When the user's certificate ends; none where nobody logs in by one.

    Raises:
        LoginError: it cannot be read.
    """
    if user is None or user.certificate is None:
        return None
    return Validity(read_user_certificate(user.certificate).not_valid_after_utc)


def expiry_text(name: str, found: Validity, level: Level) -> str:
    """What is told of a certificate that must be renewed, in Chinese and English."""
    zh, en, remedy_zh, remedy_en = WORDS[name]
    days, day = found.days_left, f"{found.not_after:%Y-%m-%d}"
    if days <= 0:
        told_zh, told_en = f"{zh}已于 {day} 到期", f"{en} ended on {day}"
    else:
        told_zh, told_en = f"{zh}将在 {days:.0f} 天后（{day}）到期", f"{en} ends in {days:.0f} days ({day})"
    urgent_zh, urgent_en = ("【紧急】", "critical: ") if level == "critical" else ("", "")
    return f"{urgent_zh}{told_zh}：{remedy_zh} / {urgent_en}{told_en}: {remedy_en}"


class CertificateWatch:
    """Keeps the alarms of one system's certificates, and tells the business zone when one gets worse.

    Args:
        settings: when to warn.
        pki: where the own certificate lies.
        user: who logs in.
        status: shows the alarms and the days left.
        gaps: carries a note to the business zone, at every change and once a day.
        clock: plant time.
    """

    def __init__(
        self,
        settings: CertificateSettings,
        pki: PkiSettings,
        user: UserSettings | None,
        status: Status,
        gaps: GapLog,
        clock: Clock,
    ) -> None:
        self._settings, self._pki, self._user = settings, pki, user
        self._status, self._gaps, self._clock = status, gaps, clock
        self._server: Validity | None = None
        self._told: tuple[str, dict[str, Level]] | None = None

    def see_server(self, certificate: Validity | None) -> None:
        """The certificate that the server shows, which may be over; none without security."""
        self._server = certificate
        self.look()

    def look(self) -> None:
        """Read the files and judge anew."""
        texts: dict[str, str] = {}
        levels: dict[str, Level] = {}
        sources: dict[str, Callable[[], Validity | None]] = {
            OWN: lambda: validity(self._pki.certificate.read_bytes()),
            SERVER: lambda: self._server,
            USER: lambda: user_validity(self._user),
        }
        for name, read in sources.items():
            try:
                found = read()
            except (OSError, ValueError) as error:
                # While a certificate is exchanged its file may be missing or half written.
                self._status.alarm(name, _unreadable(name, error))
                continue
            self._show(name, found, texts, levels)
        self._tell(texts, levels)

    def _show(
        self, name: str, found: Validity | None, texts: dict[str, str], levels: dict[str, Level]
    ) -> None:
        if found is None:
            self._status.alarm(name, None)
            self._status.certificate_days.pop(name, None)
            return
        self._status.certificate_days[name] = round(found.days_left, 1)
        level = found.level(self._settings)
        if level != "ok":
            levels[name], texts[name] = level, expiry_text(name, found, level)
        self._status.alarm(name, texts.get(name))

    def _tell(self, texts: dict[str, str], levels: dict[str, Level]) -> None:
        state = (f"{datetime.now(UTC):%Y-%m-%d}", levels)
        if not levels or state == self._told:
            return
        self._told = state
        now = to_ticks(self._clock.now())
        self._gaps.tell(None, now, now, "certificate_ends", is_open=False, detail="; ".join(texts.values()))


def _unreadable(name: str, error: Exception) -> str:
    if isinstance(error, TrustError):
        return str(error)
    zh, en, _, _ = WORDS[name]
    return f"{zh}无法读取：{error} / {en} cannot be read: {error}"
