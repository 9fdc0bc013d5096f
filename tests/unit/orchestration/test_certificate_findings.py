"""Notes of certificates that end become one finding a system, and end by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
from deltalake import write_deltalake

from ingestion.collector.expiry import OWN, SERVER, Validity, expiry_text
from lake.layout import LakePaths
from orchestration.certificate_findings import ending_certificates, judge_notes
from protocols.points import GAPS

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def note(hours_ago: float, *names: tuple[str, float]) -> dict[str, object]:
    """A note as a collector writes it."""
    texts = []
    for name, days in names:
        held = Validity(datetime.now(UTC) + timedelta(days=days))
        texts.append(expiry_text(name, held, "critical" if days < 7 else "warning"))
    return {"observed_at_utc": NOW - timedelta(hours=hours_ago), "detail": "; ".join(texts)}


def test_the_newest_note_is_told_in_both_languages() -> None:
    rows = [note(30, (OWN, 40.5)), note(3, (OWN, 39.5), (SERVER, 3.5))]
    (found,) = judge_notes("opcua_production", rows, NOW)
    assert (found.subject, found.severity) == ("opcua_production", "error")
    assert "本机证书" in found.cause_zh
    assert "【紧急】服务器证书" in found.cause_zh
    assert "our own certificate ends in" in found.cause_en
    assert "critical: the server's certificate" in found.cause_en
    assert "证书" not in found.cause_en


def test_a_warning_is_no_error_and_what_is_no_longer_told_is_over() -> None:
    (found,) = judge_notes("s", [note(47, (OWN, 20.5))], NOW)
    assert found.severity == "warning"
    assert not list(judge_notes("s", [note(49, (OWN, 20.5))], NOW))
    assert not list(judge_notes("s", [], NOW))


def test_the_notes_are_found_in_the_gap_rows_of_each_system(tmp_path: Path) -> None:
    lake = LakePaths(tmp_path)
    for system_id, reason in (("opcua_production", "certificate_ends"), ("opcua_other", "session_began")):
        row = note(3, (OWN, 39.5)) | {
            "from_at_utc": NOW,
            "until_at_utc": NOW,
            "reason": reason,
            "is_open": False,
        }
        path = lake.table("raw", f"{system_id}__gaps")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(path, pa.Table.from_pylist([row], schema=GAPS))
    clock = SimpleNamespace(now=lambda: NOW)
    location: Any = SimpleNamespace(settings=SimpleNamespace(lake=lake, clock=clock))
    found = ending_certificates(location, cast("Any", None))
    assert [finding.subject for finding in found] == ["opcua_production"]
