"""One thing looked at: how it stands, and what to do about it, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Diagnosis:
    """How one thing stands.

    Attributes:
        level: whether it is well, may become wrong, or is wrong.
        subject: what was looked at.
        found_zh: what was found, in Chinese.
        found_en: what was found, in English.
        remedy_zh: what to do, in Chinese; empty when it is well.
        remedy_en: what to do, in English; empty when it is well.
    """

    level: Level
    subject: str
    found_zh: str
    found_en: str
    remedy_zh: str = ""
    remedy_en: str = ""


def well(subject: str, zh: str, en: str) -> Diagnosis:
    """It is well."""
    return Diagnosis("ok", subject, zh, en)


def wrong(subject: str, found: tuple[str, str], remedy: tuple[str, str], level: Level = "error") -> Diagnosis:
    """It is wrong, or may become so: what was found and what to do, each in Chinese and English."""
    return Diagnosis(level, subject, *found, *remedy)
