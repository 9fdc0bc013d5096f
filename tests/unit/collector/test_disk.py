"""A disk that runs full: which segments may be deleted, and when reading stands still."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector import disk
from ingestion.collector.disk import DiskGuard
from ingestion.collector.gaps import GapLog
from ingestion.collector.settings import DiskSettings
from ingestion.collector.status import Status
from ingestion.gateway.sent_ledger import SentLedger
from protocols.clock import SystemClock
from protocols.segments import sequences
from tests.unit.collector.test_sealing_and_marks import STREAM, seal_points, sealer_in


@pytest.mark.parametrize(("sent", "kept"), [(5, [5, 6]), (3, [3, 4, 5, 6]), (0, [1, 2, 3, 4, 5, 6])])
def test_only_what_was_sent_is_deleted_and_the_last_of_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: int, kept: list[int]
) -> None:
    sealer = sealer_in(tmp_path, Ed25519PrivateKey.generate())
    asyncio.run(seal_points(sealer, 6))
    sealer.checkpoint()
    ledger = SentLedger(tmp_path)
    for number in range(1, sent + 1):
        ledger.advance(STREAM, number)
    ledger.save()
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=10 * 2**20))
    clock, status, paused = SystemClock(), Status("plant", "opc.tcp://x"), []
    settings = DiskSettings(min_free_mb=100.0, when_full="drop_oldest_sent")
    DiskGuard(tmp_path, settings, clock, status, GapLog(sealer, clock, status), paused.append).look()
    assert sequences(tmp_path, STREAM) == kept
    assert paused == [True]  # it did not make room enough
    assert "disk_full" in status.alarms
