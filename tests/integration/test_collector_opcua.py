"""The collector against a real OPC UA server that misbehaves in every way we know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from asyncua import ua

from ingestion.collector.exclusion import AlreadyRunningError
from ingestion.collector.run import run_collector
from protocols.keys import load_verify_key
from protocols.opcua_time import UNIX_EPOCH_TICKS
from protocols.segments import manifest_path, read_table, sequences, verify_segment
from tests.fakes import opcua_history
from tests.fakes.opcua_history import SYSTEM

STREAM = f"{SYSTEM}.points"


def points(site: Path) -> list[tuple[str, int, Any, int]]:
    directory = site / "var" / "collector" / SYSTEM
    found = []
    for number in sequences(directory, STREAM):
        for row in read_table(manifest_path(directory, STREAM, number)).to_pylist():
            micro = round(row["source_at_utc"].timestamp() * 1_000_000)
            ticks = UNIX_EPOCH_TICKS + 10 * micro + row["source_at_100ns"]
            value = row["value_text"] if row["value_number"] is None else row["value_number"]
            found.append((row["tag_id"], ticks, value, row["status_code"]))
    return found


def status(site: Path) -> dict[str, Any]:
    path = site / "var" / "collector" / SYSTEM / "status.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@asynccontextmanager
async def collecting(config: Path) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_collector(config, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.2)


def of(everything: set[tuple[str, int, Any, int]], *tags: str) -> set[tuple[str, int, Any, int]]:
    return {point for point in everything if point[0] in tags}


def test_misbehaving_histories_end_complete_or_visibly_failed_and_stop_nobody(tmp_path: Path) -> None:
    tags = ("GOOD", "REPEATS", "SHORT", "FAILS", "STALLS", "REFUSES", "FAULTS")
    source = opcua_history.source_around_now(tags, history_s=20, live_s=6)
    behaviours = {
        "REPEATS": "repeats",
        "SHORT": "short",
        "FAILS": "fails_twice",
        "STALLS": "stalls",
        "REFUSES": "refuses",
        "FAULTS": "faults",
    }
    port = opcua_history.free_port()
    config = opcua_history.make_site(
        tmp_path,
        port,
        source,
        extra_tags=("NOWHERE",),
        history={"values_per_read": 50, "settle_s": 0.5},
    )
    whole = of(source.everything(), "GOOD", "REPEATS", "SHORT", "FAILS")

    async def scenario() -> None:
        async with opcua_history.serve(tmp_path, port, source, behaviours=behaviours), collecting(config):
            await until(lambda: whole <= set(points(tmp_path)), 40)
            await until(
                lambda: (
                    set(status(tmp_path).get("failed_tags", {})) == {"STALLS", "REFUSES", "FAULTS", "NOWHERE"}
                )
            )

    asyncio.run(scenario())
    found = points(tmp_path)
    assert len(found) == len(set(found))
    assert set(found) <= source.everything()
    assert of(set(found), "REFUSES")
    failed = status(tmp_path)["failed_tags"]
    assert "repeats itself" in failed["STALLS"]["history"]
    assert "BadHistoryOperationUnsupported" in failed["REFUSES"]["history"]
    assert "BadInternalError" in failed["FAULTS"]["history"]
    assert "BadNodeIdUnknown" in failed["NOWHERE"]["subscription"]


def test_a_tag_without_history_is_only_subscribed_and_not_repeated_by_a_reconnect(tmp_path: Path) -> None:
    source = opcua_history.source_around_now(("LIVE", "OLD"), history_s=5, live_s=7)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source, without_history=("LIVE",))
    last = {
        ("OLD", *source.sample("OLD", source.count - 1)),
        ("LIVE", *source.sample("LIVE", source.count - 1)),
    }
    requests: list[int] = []

    async def scenario() -> None:
        async with collecting(config):
            for seconds in (2.0, 0.0):
                async with opcua_history.serve(tmp_path, port, source) as history:
                    await asyncio.sleep(seconds)
                    if not seconds:
                        await until(lambda: last <= set(points(tmp_path)))
                    requests.append(history.requests["LIVE"])

    asyncio.run(scenario())
    found = points(tmp_path)
    assert requests == [0, 0]
    assert len(found) == len(set(found))
    assert of(set(found), "OLD") == of(source.everything(), "OLD")
    assert of(set(found), "LIVE") < of(source.everything(), "LIVE")


def test_a_server_whose_certificate_nobody_trusted_is_refused(tmp_path: Path) -> None:
    source = opcua_history.source_around_now(("A",), history_s=1, live_s=5)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source)
    trusted = tmp_path / "pki" / "trusted" / f"{SYSTEM}.der"
    certificate = trusted.read_bytes()
    trusted.unlink()

    async def scenario() -> None:
        async with opcua_history.serve(tmp_path, port, source), collecting(config):
            await until(lambda: "is not among the" in str(status(tmp_path).get("last_error")))
            assert points(tmp_path) == []
            (rejected,) = (tmp_path / "pki" / "rejected").iterdir()
            assert rejected.read_bytes() == certificate
            trusted.write_bytes(certificate)
            await until(lambda: bool(points(tmp_path)))

    asyncio.run(scenario())


def test_the_tag_table_is_sealed_with_the_servers_units_and_again_only_when_they_change(
    tmp_path: Path,
) -> None:
    source = opcua_history.source_around_now(("A",), history_s=1, live_s=60)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source, units_every_s=0.2)
    directory, stream = tmp_path / "var" / "collector" / SYSTEM, f"{SYSTEM}.tags"

    def units() -> list[str | None]:
        tables = [read_table(manifest_path(directory, stream, n)) for n in sequences(directory, stream)]
        return [table["unit_on_server"].to_pylist()[0] for table in tables]

    async def scenario() -> None:
        async with opcua_history.serve(tmp_path, port, source) as history:
            node = await history.add_unit("A", "°C")
            async with collecting(config):
                await until(lambda: units() == ["°C"])
                await asyncio.sleep(1)
                await node.write_value(ua.EUInformation(DisplayName=ua.LocalizedText("K")))
                await until(lambda: units() == ["°C", "K"])
            async with collecting(config):
                await until(lambda: status(tmp_path)["connections"] == 1)
                await asyncio.sleep(1)

    asyncio.run(scenario())
    assert units() == ["°C", "K"]


def test_segments_reach_the_drop_folder_and_a_second_collector_is_refused(tmp_path: Path) -> None:
    source = opcua_history.source_around_now(("A",), history_s=2, live_s=1)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source, gateway={"drop_dir": "drop"})

    async def scenario() -> None:
        async with opcua_history.serve(tmp_path, port, source), collecting(config):
            await until(lambda: bool(status(tmp_path)))
            with pytest.raises(AlreadyRunningError, match="another holds"):
                await run_collector(config, asyncio.Event())
            await until(lambda: len(points(tmp_path)) == source.count)

    asyncio.run(scenario())
    key = load_verify_key(tmp_path / "pki" / "gateway_verify.pem")
    sealed = sequences(tmp_path / "var" / "collector" / SYSTEM, STREAM)
    assert sequences(tmp_path / "drop", STREAM) == sealed
    rows = [verify_segment(manifest_path(tmp_path / "drop", STREAM, n), key).rows for n in sealed]
    assert sum(rows) == source.count


@pytest.mark.parametrize(
    ("policy", "mode"),
    [
        ("Aes128_Sha256_RsaOaep", "Sign"),
        ("Aes256_Sha256_RsaPss", "SignAndEncrypt"),
        ("Basic256Sha256", "Sign"),
    ],
)
def test_every_policy_and_a_password_kept_elsewhere(tmp_path: Path, policy: str, mode: str) -> None:
    source = opcua_history.source_around_now(("A",), history_s=1, live_s=1)
    port = opcua_history.free_port()
    config = opcua_history.make_site(tmp_path, port, source)
    content = yaml.safe_load(config.read_text())
    content["servers"][0] |= {
        "security": {"policy": policy, "mode": mode},
        "user": {"name": "operator", "password_file": "password"},
    }
    config.write_text(yaml.safe_dump(content))
    (tmp_path / "password").write_text("not this\n")
    kind = ua.SecurityPolicyType[f"{policy.replace('_', '')}_{mode}"]

    async def scenario() -> None:
        async with (
            opcua_history.serve(tmp_path, port, source, policy=kind, password="a secret"),
            collecting(config),
        ):
            await until(lambda: status(tmp_path).get("last_error") is not None)
            assert not points(tmp_path)
            (tmp_path / "password").write_text("a secret\n")
            await until(lambda: len(points(tmp_path)) == source.count)
            await until(lambda: "server_certificate" in status(tmp_path)["certificate_days_left"])

    asyncio.run(scenario())
    assert "a secret" not in config.read_text()
