"""The provincial platform: HJ 212-2017 over TCP, strict in what it accepts.

It acknowledges only what it has committed. It asks stations for things when told to through its control port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from reference_plant.receivers.control import Command, serve_control
from reference_plant.receivers.faults import Faults
from reference_plant.receivers.hj212_rules import INFORMATION, MOMENTS, PERIODS, PLATFORM_ZONE, check_upload
from reference_plant.receivers.hj212_wire import (
    Kind,
    LineSplitter,
    RefusalError,
    Segment,
    build_frame,
    parse_content,
    parse_segment,
    segment_of,
)
from reference_plant.receivers.plant import PlantView
from reference_plant.receivers.province_store import ProvinceStore
from reference_plant.receivers.stations import REFERENCE_STATIONS, Station

HOST = "127.0.0.1"
INTERACTION_ST = "91"
UPLOADS = frozenset(PERIODS) | MOMENTS | INFORMATION | {"1011", "1061", "1063"}
TIME_NOTICE = "1013"
REQUEST_ANSWER, EXECUTION_RESULT, NOTICE_ANSWER, DATA_ANSWER = "9011", "9012", "9013", "9014"
ANSWERS = frozenset({REQUEST_ANSWER, EXECUTION_RESULT, NOTICE_ANSWER, DATA_ANSWER})
NOTICES_TO_STATIONS = frozenset({"2012", "2022"})
LOOK_EVERY_S = 0.2


class ProvincePlatform:
    """The platform's judgement, connections and requests."""

    def __init__(
        self, plant: PlantView, *, password: str, stations: Iterable[Station] = REFERENCE_STATIONS
    ) -> None:
        self.faults = Faults()
        self.store = ProvinceStore(plant.store_path)
        self._plant = plant
        self._password = password
        self._stations = {station.mn: station for station in stations}
        self._connections: dict[asyncio.StreamWriter, set[str]] = {}
        # Requests under way: where their answers go, and what they asked of whom.
        self._answers: dict[tuple[str, str], asyncio.Queue[Segment]] = {}
        self._requested: set[tuple[str, str]] = set()
        self._last_qn = ""
        self._server: asyncio.Server | None = None

    def judge(self, line: bytes, now_utc: datetime) -> tuple[Segment | None, bytes | None]:
        """Keep one line with its verdict: its segment where it is accepted, and the answer that is due."""
        segment: Segment | None = None
        try:
            segment = parse_segment(segment_of(line))
            self._check_station(segment)
            answer = self._take(segment, line, now_utc)
        except RefusalError as refusal:
            self.store.refuse(now_utc, line, str(refusal), segment)
            return None, None
        return segment, answer

    def _check_station(self, segment: Segment) -> None:
        station = self._stations.get(segment.mn)
        if station is None:
            raise RefusalError(Kind.MN, f"expected a registered station, found {segment.mn}")
        if segment.pw != self._password:
            raise RefusalError(Kind.PW, f"wrong password for {segment.mn}")
        expected = INTERACTION_ST if segment.cn in ANSWERS else station.st
        if segment.st != expected:
            raise RefusalError(
                Kind.ST, f"CN={segment.cn} of {segment.mn}: expected {expected}, found {segment.st}"
            )

    def _take(self, segment: Segment, line: bytes, now_utc: datetime) -> bytes | None:
        if segment.cn in ANSWERS:
            self.store.note(now_utc, line, segment)
            if (segment.mn, segment.qn) in self._answers:
                self._answers[segment.mn, segment.qn].put_nowait(segment)
            return None
        if segment.cn == TIME_NOTICE:
            self.store.note(now_utc, line, segment)
            return self._answer(segment, NOTICE_ANSWER)
        if segment.cn not in UPLOADS:
            raise RefusalError(Kind.CN, f"expected an upload, notice or answer, found CN={segment.cn}")
        if segment.cn.startswith("1"):
            self.store.note(now_utc, line, segment)
        else:
            upload = check_upload(segment, now_utc)
            requested = (segment.mn, segment.cn) in self._requested
            self.store.accept(now_utc, line, upload, requested=requested)
        return self._answer(segment, DATA_ANSWER) if segment.wants_answer else None

    def _answer(self, segment: Segment, cn: str) -> bytes:
        return build_frame(qn=segment.qn, st=INTERACTION_ST, cn=cn, pw=segment.pw, mn=segment.mn, flag=4)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Judge and answer everything one connection brings, until either side closes it."""
        spoken: set[str] = set()
        self._connections[writer] = spoken
        splitter = LineSplitter()
        try:
            while received := await reader.read(4096):
                for line in splitter.feed(received):
                    if not self._is_open():
                        return
                    segment, answer = self.judge(line, self._plant.now())
                    if segment is not None:
                        spoken.add(segment.mn)
                    if answer is not None:
                        await self._send_answer(writer, answer)
        except ConnectionError:
            return  # the station hung up; what it sent whole is judged and kept
        finally:
            del self._connections[writer]
            writer.close()

    async def _send_answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if self.faults.delay_s:
            await asyncio.sleep(self.faults.delay_s)
        if not self.faults.drops_answer():
            writer.write(answer)
            await writer.drain()

    async def request(self, mn: str, cn: str, content: str, *, timeout_s: float = 10.0) -> dict[str, str]:
        """Ask a station for something and wait for its answers.

        Returns:
            `qn`, and as far as they came: `QnRtn` (9011), `ExeRtn` (9012), `notice` (9013).

        Raises:
            ValueError: the station is not registered or not connected now.
        """
        writer = next((w for w, spoken in self._connections.items() if mn in spoken), None)
        if mn not in self._stations or writer is None:
            msg = f"requesting CN={cn}: expected a registered, connected station, found {mn}"
            raise ValueError(msg)
        qn = self._new_qn()
        answers = self._answers[mn, qn] = asyncio.Queue()
        self._requested.add((mn, cn))
        outcome = {"qn": qn}
        try:
            station = self._stations[mn]
            frame = build_frame(
                qn=qn, st=station.st, cn=cn, pw=self._password, mn=mn, flag=5, content=content
            )
            writer.write(frame)
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_collect(answers, cn, outcome), timeout_s)
        finally:
            del self._answers[mn, qn]
            self._requested.discard((mn, cn))
        return outcome

    def _new_qn(self) -> str:
        at = self._plant.now().astimezone(PLATFORM_ZONE)
        qn = f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"
        while qn <= self._last_qn:
            at += timedelta(milliseconds=1)
            qn = f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"
        self._last_qn = qn
        return qn

    def _is_open(self) -> bool:
        return not self.faults.closed and not self._plant.is_out(self._plant.now())

    async def follow_outages(self, stop: asyncio.Event) -> None:
        """Listen while in order; close the port and every connection while not."""
        parent = os.getppid()
        while not stop.is_set() and os.getppid() == parent:
            if self._is_open() and self._server is None:
                self._server = await asyncio.start_server(self.converse, HOST, self._plant.port)
            elif not self._is_open():
                await self.hang_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.transport.abort()

    async def command(self, command: Command) -> Command:
        """Carry out one line of the control port: request or faults."""
        match command.pop("do", None):
            case "request":
                return dict(await self.request(**command))
            case "faults":
                self.faults.switch(command)
                return {"faults": asdict(self.faults)}
            case other:
                msg = f"expected do=request or do=faults, found {other!r}"
                raise ValueError(msg)


async def _collect(answers: asyncio.Queue[Segment], cn: str, outcome: dict[str, str]) -> None:
    """Gather answers until the one that ends the exchange: 9012, 9013 for a notice, or a refusal."""
    while True:
        segment = await answers.get()
        if segment.cn == NOTICE_ANSWER:
            outcome["notice"] = "answered"
        else:
            for item in parse_content(segment.content):
                outcome.update(item)
        refused = outcome.get("QnRtn", "1") != "1"
        if segment.cn == EXECUTION_RESULT or refused or cn in NOTICES_TO_STATIONS:
            return


def main(site_dir: Path) -> None:
    """Run the province of a site until SIGTERM or SIGINT arrives or the parent process is gone."""
    asyncio.run(serve(PlantView.of_site(site_dir, "province")))


async def serve(plant: PlantView, **options: Any) -> None:
    """Run one platform, control port included."""
    platform = ProvincePlatform(plant, password=plant.secret("province_hj212_password"), **options)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    control = await serve_control(plant.control_path, platform.command)
    try:
        await platform.follow_outages(stop)
    finally:
        control.close()
        platform.store.close()
