"""HJ 212 instruments: values, marks and states as points, each answered once sealed; strangers never."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.collector.run import run_collector
from reference_plant.receivers.hj212_wire import crc
from tests.fakes.collector_sites import make_site, sealed, status, until
from tests.fakes.hj212_logger import MN, PW, Logger, answer_of, frame

SYSTEM = "instruments_test"
AT = "DataTime=20261116080000"


def make_config(site: Path, **changes: Any) -> Path:
    (site / "pw.txt").write_text(f"{PW}\n")
    device = {
        "mn": MN,
        "password_file": "pw.txt",
        "label_zh": "总排口",
        "label_en": "Outfall",
        "area": "wwtp",
    }
    source = {"kind": "hj212", "system_id": SYSTEM, "host": "127.0.0.1", "port": 0, "peers": ["127.0.0.1/32"]}
    return make_site(site, [{**source, "devices": [device], **changes}])


@contextlib.asynccontextmanager
async def listening(config: Path) -> AsyncIterator[int]:
    stop = asyncio.Event()
    run = asyncio.create_task(run_collector(config, stop))
    try:
        await until(lambda: status(config.parent, SYSTEM).get("connected"), "it listens")
        yield status(config.parent, SYSTEM)["port"]
    finally:
        stop.set()
        await run


class Instrument:
    """A connection that sends bytes and reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> Instrument:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def answer(self, timeout_s: float = 10.0) -> tuple[str, str]:
        async with asyncio.timeout(timeout_s):
            return answer_of((await self._reader.readuntil(b"\r\n"))[:-2])

    async def ask(self, data: bytes) -> str:
        self.send(data)
        return (await self.answer())[0]

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            return not await self._reader.read(1)


def points(site: Path) -> dict[str, tuple[Any, int, str]]:
    """By tag without system and MN: value, status, time; the last of each."""
    return {
        row["tag_id"].removeprefix(f"{SYSTEM}.{MN}."): (
            row["value_text"] if row["value_number"] is None else row["value_number"],
            row["status_code"],
            f"{row['source_at_utc']:%Y-%m-%dT%H:%M:%S}",
        )
        for row in sealed(site, SYSTEM).to_pylist()
    }


def reasons(site: Path) -> list[str]:
    return sorted(sealed(site, SYSTEM, "quarantine")["reason_code"].to_pylist())


def test_every_kind_of_frame_becomes_points_and_is_answered_once_they_are_sealed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(make_config(tmp_path)) as port:
            one = await Instrument.connect(port)
            moment = f"{AT};w01018-Rtd=34.5,w01018-Flag=T;w01001-Rtd=7.1,w01001-Flag=N"
            assert await one.ask(frame(moment)) == "9014"
            assert points(tmp_path)["w01018.Rtd"] == (34.5, 0x40940000, "2026-11-16T00:00:00")
            for cn in ("2051", "2061", "2031"):
                period = f"{AT};w01018-Min=1,w01018-Avg=2,w01018-Max=3,w01018-Cou=4,w01018-Flag=D"
                assert await one.ask(frame(period, cn=cn)) == "9014"
            assert await one.ask(frame(f"{AT};SB1-RS=4;SB1-RT=2.5", cn="2021")) == "9014"
            info = f"{AT};PolId=w01018,i12001-Info=2,i13001-Info=//0-50；量程//"
            assert await one.ask(frame(info, cn="3020")) == "9014"
            assert await one.ask(frame(f"{AT};RestartTime=20261116070000", cn="2081")) == "9014"
            assert await one.ask(frame("", cn="1013")) == "9013"
            assert await one.ask(frame("", cn="9015")) == "9013"
            assert await one.ask(frame("x=1", cn="1072")) == "9011"
            one.send(frame(f"{AT};w21003-Rtd=0.5,w21003-Flag=N", flag=4))  # wants no answer
            await until(lambda: "w21003.Rtd" in points(tmp_path), "the frame without answer")
            await until(lambda: len(reasons(tmp_path)) >= 2, "two refusals")

    asyncio.run(scenario())
    found = {tag: value[:2] for tag, value in points(tmp_path).items()}
    assert found["w01018.Flag"] == ("T", 0)
    assert found["w01001.Rtd"] == (7.1, 0)
    for period in ("minute", "hour", "day"):
        assert [found[f"w01018.{period}.{field}"] for field in ("Min", "Avg", "Max", "Cou")] == [
            (float(number), 0x808B0000) for number in (1, 2, 3, 4)
        ]
    assert (found["SB1.RS"], found["SB1.RT"]) == ((4.0, 0), (2.5, 0))
    assert found["w01018.i12001.Info"] == (2.0, 0)
    assert found["w01018.i13001.Info"] == ("0-50；量程", 0)
    assert found["RestartTime"] == (20261116070000.0, 0)
    assert reasons(tmp_path) == ["asks_for_time", "no_data"]
    assert PW not in "".join(sealed(tmp_path, SYSTEM, "quarantine")["content"].to_pylist())
    tags = {row["tag_id"]: row for row in sealed(tmp_path, SYSTEM, "tags").to_pylist()}
    row = tags[f"{SYSTEM}.{MN}.w01018.hour.Avg"]
    assert (row["node_id"], row["area"]) == (f"hj212:{MN}/2061/w01018-Avg", "wwtp")
    assert row["label_zh"] == "总排口 w01018.hour.Avg"


def test_a_tag_table_names_what_it_knows(tmp_path: Path) -> None:
    header = "tag_id,address,label_zh,label_en,unit,range_low,range_high,data_type,area,equipment_id\n"
    row = f"DW001.COD,hj212:{MN}/2011/w01018-Rtd,化学需氧量,COD,mg/L,0,500,Double,wwtp,\n"
    (tmp_path / "tags.csv").write_text(header + row, encoding="utf-8")

    async def scenario() -> None:
        async with listening(make_config(tmp_path, tags="tags.csv")) as port:
            one = await Instrument.connect(port)
            assert await one.ask(frame(f"{AT};w01018-Rtd=34.5,w01018-Flag=N")) == "9014"

    asyncio.run(scenario())
    assert points(tmp_path)["DW001.COD"][0] == 34.5
    known = next(r for r in sealed(tmp_path, SYSTEM, "tags").to_pylist() if r["tag_id"] == "DW001.COD")
    assert (known["unit"], known["range_high"], known["label_zh"]) == ("mg/L", 500.0, "化学需氧量")


def test_repeated_frames_are_answered_and_not_doubled_and_changed_values_are_shown(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = make_config(tmp_path)
        for _ in range(2):  # the second time by a collector that was started anew
            async with listening(config) as port:
                one = await Instrument.connect(port)
                for value in ("1.5", "1.5", "9.9"):
                    assert await one.ask(frame(f"{AT};w01018-Rtd={value}")) == "9014"

    asyncio.run(scenario())
    assert sealed(tmp_path, SYSTEM)["value_number"].to_pylist() == [1.5]
    assert set(reasons(tmp_path)) == {"changed_value"}


def test_packets_are_answered_one_by_one_and_share_their_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(make_config(tmp_path, packets_wait_s=0.5)) as port:
            one = await Instrument.connect(port)
            assert await one.ask(frame(f"{AT};w01018-Rtd=1", flag=7, packets="PNUM=2;PNO=1;")) == "9014"
            assert await one.ask(frame("w01001-Rtd=2", flag=7, packets="PNUM=2;PNO=2;")) == "9014"
            later = "DataTime=20261116080100"
            one.send(frame("w01001-Rtd=4", flag=7, packets="PNUM=2;PNO=2;"))
            assert await one.ask(frame(f"{later};w01018-Rtd=3", flag=7, packets="PNUM=2;PNO=1;")) == "9014"
            assert (await one.answer())[0] == "9014"
            one.send(frame("w01001-Rtd=6", flag=7, packets="PNUM=2;PNO=2;"))
            assert (await one.answer())[0] == "9014"  # nobody said its time: kept in sight, and answered

    asyncio.run(scenario())
    rows = [(row["tag_id"][-10:], row["value_number"]) for row in sealed(tmp_path, SYSTEM).to_pylist()]
    assert sorted(value for _, value in rows) == [1.0, 2.0, 3.0, 4.0]
    assert reasons(tmp_path) == ["no_time"]


def test_strangers_are_not_answered_and_old_devices_are_understood(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with listening(make_config(tmp_path)) as port:
            one = await Instrument.connect(port)
            one.send(frame(f"{AT};w01018-Rtd=1", mn="F" * 24))
            one.send(frame(f"{AT};w01018-Rtd=2", pw="654321"))
            one.send(b"noise##00zz")
            lower = frame(f"{AT};w01018-Rtd=3,w01018-Flag=N", qn=7).replace(b"\r\n", b"")
            assert await one.ask(lower[:-4] + lower[-4:].lower()) == "9014"
            await until(lambda: len(reasons(tmp_path)) >= 4, "the refusals")
            for _ in range(60):
                one.send(frame(f"{AT};w01018-Rtd=1", mn="E" * 24))
            assert await one.is_closed()
        async with listening(for_others(tmp_path)) as port:
            stranger = await Instrument.connect(port)
            with contextlib.suppress(ConnectionResetError):
                assert await stranger.is_closed()
            await until(lambda: status(tmp_path, SYSTEM)["refused_peers"], "the peer is counted")

    def for_others(site: Path) -> Path:
        path = site / "collector.yml"
        path.write_text(path.read_text().replace("127.0.0.1/32", "192.0.2.0/24"))
        return path

    asyncio.run(scenario())
    assert sealed(tmp_path, SYSTEM)["value_number"].drop_null().to_pylist() == [3.0]
    assert {"unknown_mn", "wrong_password", "no_frame"} <= set(reasons(tmp_path))


def hostile(chance: random.Random) -> bytes:
    """Noise, damaged frames, frames whose checksum covers damage, and heads without end."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 3000))
    data = bytearray(
        frame(f"{AT};w{chance.randrange(99999):05d}-Rtd={chance.random()}") * chance.randrange(1, 4)
    )
    for _ in range(chance.randrange(1, 12)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    if kind == 1:
        return bytes(data[: chance.randrange(1, len(data))])
    if kind == 2:
        # the checksum is right, what it covers is not
        text = bytes(data[6:-6]).decode("latin-1").encode()
        return b"##%04d%b%04X\r\n" % (len(text) % 10_000, text, crc(text))
    return b"##9999" * chance.randrange(1, 400) + bytes(data)


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.full)])
def test_hostile_streams_neither_crash_nor_block(tmp_path: Path, count: int) -> None:
    chance = random.Random(count)
    good = frame(f"{AT};w01018-Rtd=1.5,w01018-Flag=N")

    async def attack(port: int) -> None:
        try:
            one = await Instrument.connect(port)
            one.send(hostile(chance))
            if chance.random() < 0.3:
                await asyncio.sleep(0.01)
            one._writer.close()
        except OSError:
            pass

    async def scenario() -> None:
        async with listening(make_config(tmp_path)) as port:
            for _ in range(count // 10):
                await asyncio.gather(*[attack(port) for _ in range(10)])
            one = await Instrument.connect(port)
            assert await one.ask(good) == "9014"

    asyncio.run(scenario())
    assert 1.5 in sealed(tmp_path, SYSTEM)["value_number"].to_pylist()


def test_a_loggers_backlog_arrives_whole_though_it_comes_last(tmp_path: Path) -> None:
    async def scenario() -> Logger:
        async with listening(make_config(tmp_path)) as port:
            logger = Logger(port)
            await logger.measure(40)
            sending = asyncio.create_task(logger.send())
            await logger.measure(40)
            await until(lambda: not logger.waiting, "all is answered")
            sending.cancel()
            return logger

    logger = asyncio.run(scenario())
    table = sealed(tmp_path, SYSTEM)
    rows = [row for row in table.to_pylist() if row["tag_id"].endswith(".Rtd")]
    assert sorted(row["value_number"] for row in rows) == [value for _, value in logger.produced]
