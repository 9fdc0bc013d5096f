"""How one thing of the control zone stands, and what to do about it, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ingestion.collector.expiry import Validity
    from ingestion.collector.settings import CertificateSettings

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Check:
    """One thing looked at; no remedy where it is well."""

    level: Level
    subject: str
    found_zh: str
    found_en: str
    remedy_zh: str = ""
    remedy_en: str = ""


def well(subject: str, zh: str, en: str) -> Check:
    """It is well."""
    return Check("ok", subject, zh, en)


def wrong(subject: str, found: tuple[str, str], remedy: tuple[str, str], level: Level = "error") -> Check:
    """It is wrong, or may become so: what was found and what to do, each in Chinese and English."""
    return Check(level, subject, *found, *remedy)


def certificate_check(
    subject: str, found: Validity, settings: CertificateSettings, remedy: tuple[str, str]
) -> Check:
    """How long a certificate still holds."""
    days, level = int(found.days_left), found.level(settings)
    if level == "ok":
        return well(subject, f"还有 {days} 天有效", f"valid for {days} more days")
    told = (f"还有 {days} 天到期", f"ends in {days} days") if found.days_left > 0 else ("已过期", "is over")
    return wrong(subject, told, remedy, "warning" if level == "warning" else "error")
