"""A data logger as the field has them: it keeps what was not answered and sends the newest first.

Frames are built by the strict receiver's own checksum, so that nothing of our codec judges itself.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reference_plant.receivers.hj212_wire import crc

MN = "010000A8900016F000169DC0"
PW = "123456"
ANSWER_S = 2.0


def frame(
    content: str,
    *,
    cn: str = "2011",
    mn: str = MN,
    pw: str = PW,
    flag: int = 5,
    packets: str = "",
    qn: int = 0,
) -> bytes:
    """A whole frame; `packets` as `PNUM=3;PNO=1;`."""
    head = f"QN=20261116080000{qn % 1000:03d};ST=32;CN={cn};PW={pw};MN={mn};Flag={flag};{packets}"
    segment = f"{head}CP=&&{content}&&".encode()
    return b"##%04d%b%04X\r\n" % (len(segment), segment, crc(segment))


def answer_of(line: bytes) -> tuple[str, str]:
    """CN and QN of an answer, once its checksum is right."""
    segment = line[6:-4]
    assert int(line[-4:], 16) == crc(segment), line
    found = re.search(rb"QN=([^;]*);ST=91;CN=(\d+);", segment)
    assert found, line
    return found[2].decode(), found[1].decode()


@dataclass
class Logger:
    """Measures one factor each tick and sends it until it is answered.

    Attributes:
        produced: everything it measured, as (DataTime, value).
    """

    port: int
    mn: str = MN
    start: datetime = datetime(2026, 11, 16, 8)  # noqa: DTZ001 - Beijing time, as the wire has it
    every_s: float = 0.01
    produced: list[tuple[str, float]] = field(default_factory=list)
    connections: int = 0
    resent: int = 0
    _waiting: deque[tuple[str, float]] = field(default_factory=deque)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def measure(self, count: int) -> None:
        for _ in range(count):
            at = self.start + timedelta(seconds=len(self.produced))
            record = (f"{at:%Y%m%d%H%M%S}", len(self.produced) / 4)
            self.produced.append(record)
            self._waiting.append(record)
            await asyncio.sleep(self.every_s)

    async def send(self) -> None:
        """Send for ever; connect again whatever happens."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.connections += 1
                try:
                    await self._send_on(reader, writer)
                finally:
                    writer.close()
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.1)

    async def _send_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent: set[tuple[str, float]] = set()
        while True:
            if not self._waiting:
                await asyncio.sleep(0.01)
                continue
            record = self._waiting[-1]  # the newest first
            self.resent += record in sent
            sent.add(record)
            data_time, value = record
            content = f"DataTime={data_time};w01018-Rtd={value},w01018-Flag=N"
            writer.write(frame(content, mn=self.mn, qn=len(sent)))
            async with asyncio.timeout(ANSWER_S):
                command, _ = answer_of((await reader.readuntil(b"\r\n"))[:-2])
            assert command == "9014"
            self._waiting.remove(record)
