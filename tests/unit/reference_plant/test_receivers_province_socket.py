"""The strict provincial platform as a process, over a real socket."""

import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reference_plant.receivers.control import ask
from reference_plant.receivers.hj212_wire import build_frame, parse_segment, segment_of

AIR, WATER = "320400000000000000000DA1", "320400000000000000000D01"
PW = "s3cret"
NOW = datetime(2026, 11, 16, 6, 0, 30, tzinfo=UTC)
RUN = (
    "import sys, pathlib; from reference_plant.receivers.province import main; "
    "main(pathlib.Path(sys.argv[1]))"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Province:
    """A province process beside a folder of its own."""

    def __init__(self, root: Path, scenarios: list[dict[str, str]], speed: float) -> None:
        self.root = root
        self.port = free_port()
        (root / "secrets").mkdir(exist_ok=True)
        (root / "secrets/province_hj212_password").write_text(PW)
        plant = {"ports": {"province": self.port}, "scenarios": scenarios}
        (root / "plant.json").write_text(json.dumps(plant))
        clock = {"origin_real_utc": datetime.now(UTC).isoformat(), "origin_plant_utc": NOW.isoformat()}
        (root / "clock.json").write_text(json.dumps({**clock, "speed": speed}))
        self.control = root / "var/run/province.control.json"
        self.start()

    def start(self) -> None:
        self.control.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-c", RUN, str(self.root)])
        deadline = time.monotonic() + 20
        while not (self.control.exists() and self.control.read_text()):
            assert self.process.poll() is None, "the province ended while starting"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(10)

    def connect(self, timeout_s: float = 10) -> socket.socket:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.root / "var/plant/receivers/province.sqlite")) as reader:
            return reader.execute(sql).fetchall()


@pytest.fixture
def province(tmp_path: Path) -> Iterator[Province]:
    running = Province(tmp_path, [], speed=1.0)
    yield running
    running.stop()


def upload(number: int, mn: str = AIR, **changes: object) -> bytes:
    st, code = ("31", "a21026") if mn == AIR else ("32", "w01018")
    at = f"2026111613{number:02d}00"
    content = f"DataTime={at};{code}-Rtd={number}.5,{code}-Flag=N"
    fields: dict[str, object] = {"qn": f"{at}000", "st": st, "cn": "2011", "pw": PW, "mn": mn, "flag": 5}
    return build_frame(content=content, **(fields | changes))  # type: ignore[arg-type]


def answers(connection: socket.socket, count: int) -> list[tuple[str, str, str]]:
    """The next answers as (CN, MN, QN)."""
    received = b""
    while received.count(b"\r\n") < count:
        part = connection.recv(4096)
        assert part, f"closed after {received!r}"
        received += part
    lines = [parse_segment(segment_of(line)) for line in received.split(b"\r\n")[:-1]]
    return [(line.cn, line.mn, line.qn) for line in lines]


def acknowledgement(frame: bytes) -> tuple[str, str, str]:
    segment = parse_segment(segment_of(frame[:-2]))
    return ("9014", segment.mn, segment.qn)


def test_joined_and_split_frames_of_two_stations_are_each_acknowledged(province: Province) -> None:
    frames = [upload(1), upload(1, WATER), upload(2), upload(2, WATER)]
    stream = b"".join(frames)
    with province.connect() as connection:
        connection.sendall(stream[:150])
        time.sleep(0.05)
        connection.sendall(stream[150:333])
        time.sleep(0.05)
        connection.sendall(stream[333:])
        assert answers(connection, 4) == [acknowledgement(frame) for frame in frames]


def test_noise_and_bad_checksums_get_no_answer_and_the_next_frame_does(province: Province) -> None:
    damaged = bytearray(upload(1))
    damaged[60] ^= 1
    with province.connect() as connection:
        connection.sendall(b"\xff\x00GET / HTTP/1.1\r\n" + bytes(damaged) + upload(2))
        assert answers(connection, 1) == [acknowledgement(upload(2))]
    reasons = [
        str(row[0]).partition(":")[0] for row in province.rows("select reason from frames order by id")
    ]
    assert reasons == ["noise", "crc", ""]


def test_what_was_acknowledged_survives_a_kill(province: Province) -> None:
    with province.connect() as connection:
        connection.sendall(upload(1))
        answers(connection, 1)
        province.kill()
    assert province.rows('select value from "values"') == [("1.5",)]
    province.start()
    with province.connect() as connection:
        connection.sendall(upload(1))
        assert answers(connection, 1) == [acknowledgement(upload(1))]
    assert province.rows("select duplicate from frames order by id") == [(0,), (1,)]


def test_a_dropped_acknowledgement_leaves_the_values_stored_once(province: Province) -> None:
    ask(province.control, {"do": "faults", "drop_next": 2})
    with province.connect() as connection:
        for _ in range(3):
            connection.sendall(upload(1))
        assert answers(connection, 1) == [acknowledgement(upload(1))]
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert province.rows('select count(*) from "values"') == [(1,)]


def test_a_delayed_acknowledgement_comes_after_the_delay(province: Province) -> None:
    ask(province.control, {"do": "faults", "delay_s": 0.4})
    with province.connect() as connection:
        began = time.monotonic()
        connection.sendall(upload(1))
        answers(connection, 1)
    assert time.monotonic() - began >= 0.4


def test_a_closed_platform_hangs_up_and_comes_back(province: Province) -> None:
    with province.connect() as connection:
        connection.sendall(upload(1))
        answers(connection, 1)
        ask(province.control, {"do": "faults", "closed": True})
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", province.port), timeout=5)
    ask(province.control, {"do": "faults", "closed": False})
    with province.connect() as connection:
        connection.sendall(upload(2))
        assert answers(connection, 1) == [acknowledgement(upload(2))]


def test_an_unknown_fault_is_refused_with_the_known_ones(province: Province) -> None:
    with pytest.raises(RuntimeError, match="drop_next"):
        ask(province.control, {"do": "faults", "explode": True})


def station_answers(connection: socket.socket, replies: list[tuple[str, str]]) -> None:
    """Play a station: read one request, then send these (CN, content) with the request's QN."""
    request = parse_segment(segment_of(connection.recv(4096)[:-2]))
    for cn, content in replies:
        st = "91"
        connection.sendall(
            build_frame(qn=request.qn, st=st, cn=cn, pw=PW, mn=request.mn, flag=4, content=content)
        )


@pytest.mark.parametrize(
    ("cn", "content", "replies", "expected"),
    [
        ("1012", "SystemTime=20261116140030", [("9011", "QnRtn=2")], {"QnRtn": "2"}),
        (
            "2061",
            "BeginTime=20261116120000,EndTime=20261116120000",
            [("9011", "QnRtn=1"), ("9012", "ExeRtn=1")],
            {"QnRtn": "1", "ExeRtn": "1"},
        ),
        ("2012", "", [("9013", "")], {"notice": "answered"}),
    ],
)
def test_a_station_is_asked_and_its_answers_are_told(
    province: Province, cn: str, content: str, replies: list[tuple[str, str]], expected: dict[str, str]
) -> None:
    with province.connect() as connection:
        connection.sendall(upload(1))
        answers(connection, 1)
        station = threading.Thread(target=station_answers, args=(connection, replies))
        station.start()
        outcome = ask(province.control, {"do": "request", "mn": AIR, "cn": cn, "content": content})
        station.join()
    assert {name: value for name, value in outcome.items() if name != "qn"} == expected


def test_a_station_that_never_spoke_cannot_be_asked(province: Province) -> None:
    with pytest.raises(RuntimeError, match="connected station"):
        ask(province.control, {"do": "request", "mn": WATER, "cn": "2011", "content": ""})


def test_an_outage_of_plant_time_closes_the_port_and_opens_it_again(tmp_path: Path) -> None:
    window = {
        "name": "receiver_outage",
        "receiver": "province",
        "from_utc": (NOW + timedelta(seconds=60)).isoformat(),
        "to_utc": (NOW + timedelta(seconds=240)).isoformat(),
    }
    province = Province(tmp_path, [window, {**window, "receiver": "park", "to_utc": window["to_utc"]}], 60.0)
    try:
        with province.connect() as connection:
            connection.sendall(upload(1))
            answers(connection, 1)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b"", "the outage should end the connection"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", province.port), timeout=5)
        with province.connect() as connection:
            connection.sendall(upload(2))
            assert answers(connection, 1) == [acknowledgement(upload(2))]
    finally:
        assert province.stop() == 0
