"""What others reach: pydiode over the same link, and zfec at the same repair."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from protocols.fec import SYMBOL_BYTES, decode, encode, repair_count
from tests.fakes.one_way_link import RECEIVER_ADDRESS, SENDER_ADDRESS, OneWayLink

_PYDIODE_PORT = "47200"


@dataclass(frozen=True)
class PeerCrossing:
    """What pydiode made of one file: seconds and CPU seconds of each end, and whether the file arrived."""

    name: str
    seconds: float
    sender_cpu_s: float
    receiver_cpu_s: float
    arrived: bool


def pydiode(link: OneWayLink, data: Path, redundancy: int) -> PeerCrossing | None:
    """Send a file with pydiode; None where it is not installed."""
    command = shutil.which("pydiode", path=str(Path(sys.executable).parent))
    if command is None:
        return None
    got = data.with_suffix(".got")
    with got.open("wb") as sink, data.open("rb") as source:
        receiver = subprocess.Popen(
            link.in_receiver(
                ["taskset", "-c", "1", command, "receive", "--port", _PYDIODE_PORT, RECEIVER_ADDRESS]
            ),
            stdout=sink,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1.5)
        options = ["--port", _PYDIODE_PORT, "--redundancy", str(redundancy)]
        began = time.monotonic()
        sender = subprocess.Popen(
            link.in_sender(
                ["taskset", "-c", "0", command, "send", *options, RECEIVER_ADDRESS, SENDER_ADDRESS]
            ),
            stdin=source,
            stderr=subprocess.DEVNULL,
        )
        sender_cpu = _cpu_of(sender)
        seconds = time.monotonic() - began
        _end_when_quiet(receiver, got)
        receiver_cpu = _cpu_of(receiver)
    arrived = got.read_bytes() == data.read_bytes()
    name = f"pydiode {metadata.version('pydiode')} (redundancy {redundancy})"
    return PeerCrossing(name, seconds, sender_cpu, receiver_cpu, arrived)


def correction_speeds(seed: int) -> dict[str, tuple[float, float]]:
    """MB/s of content encoded and decoded in a CPU second, at 1 MiB, repair for 5 % loss, 5 % lost."""
    chance = random.Random(seed)
    content = chance.randbytes(1024 * 1024)
    source = -(-len(content) // SYMBOL_BYTES)
    found = {}
    packets = dict(enumerate(encode(content, repair_count(source, 0.05))))
    kept = {number: packet for number, packet in packets.items() if chance.random() > 0.05}
    found[f"raptorq {metadata.version('raptorq')}"] = (
        _speed(content, lambda: encode(content, repair_count(source, 0.05))),
        _speed(content, lambda: decode(kept, len(content))),
    )
    try:
        import zfec
    except ImportError:
        return found
    # 256 shares at most: the block is cut into interleaved parts, each repaired for itself, which needs more.
    parts = 4
    k = -(-source // parts)
    repair = repair_count(k, 0.05)
    symbols = [chance.randbytes(SYMBOL_BYTES) for _ in range(k)]
    encoder, decoder = zfec.Encoder(k, k + repair), zfec.Decoder(k, k + repair)
    lost = sorted(chance.sample(range(k), round(0.05 * k)))
    spare = encoder.encode(symbols, list(range(k, k + len(lost))))
    shares = [spare[lost.index(n)] if n in lost else symbols[n] for n in range(k)]
    numbers = [k + lost.index(n) if n in lost else n for n in range(k)]
    found[f"zfec {metadata.version('zfec')}"] = (
        _speed(content, lambda: [encoder.encode(symbols, list(range(k, k + repair))) for _ in range(parts)]),
        _speed(content, lambda: [decoder.decode(shares, numbers) for _ in range(parts)]),
    )
    return found


def _speed(content: bytes, work: object) -> float:
    assert callable(work)
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return len(content) / best / 1e6


def _cpu_of(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process and say what CPU it took, the children of `ip netns exec` included."""
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def _end_when_quiet(receiver: subprocess.Popen[bytes], got: Path) -> None:
    """It ends by itself at the end of the data; where that was lost it is told to."""
    size, since = -1, time.monotonic()
    while _is_alive(receiver.pid) and time.monotonic() - since < 5.0:
        if got.stat().st_size != size:
            size, since = got.stat().st_size, time.monotonic()
        time.sleep(0.2)
    if _is_alive(receiver.pid):
        receiver.terminate()


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
