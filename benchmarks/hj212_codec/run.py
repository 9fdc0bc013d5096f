"""Encode and decode hour reports of 8 to 12 factors, and check that each comes back equal."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.report import Metric, Result
from protocols.hj212 import Frame, decode_frame, encode_frame

T = TypeVar("T")

SEED = 212
FRAMES = 20_000
BOUND_FRAMES_S = 50_000.0
FIELDS = ("Min", "Avg", "Max")


def frames(seed: int, count: int) -> list[Frame]:
    """Distinct hour reports, as a station sends them."""
    source = random.Random(seed)
    return [_frame(source, number) for number in range(count)]


def _frame(source: random.Random, number: int) -> Frame:
    groups = tuple(_group(source, f"a{21000 + factor}") for factor in range(source.randint(4, 6)))
    return Frame(
        qn=f"20261116{number // 3600 % 24:02d}{number // 60 % 60:02d}{number % 60:02d}{number % 1000:03d}",
        st="31",
        cn="2061",
        pw="123456",
        mn="320400000000000000000DA1",
        flag=5,
        pnum=None,
        pno=None,
        cp=((("DataTime", "20261116080000"),), *groups),
    )


def _group(source: random.Random, factor_code: str) -> tuple[tuple[str, str], ...]:
    values = [(f"{factor_code}-{field}", f"{source.uniform(0, 200):.2f}") for field in FIELDS]
    return (*values, (f"{factor_code}-Flag", "N"))


def per_cpu_second(work: Callable[[T], object], items: list[T]) -> float:
    """How many items a CPU second; results are dropped, as a stream's reader drops them."""
    start = time.process_time()
    for item in items:
        work(item)
    return len(items) / (time.process_time() - start)


def run() -> Result:
    """Time both ways and compare."""
    sent = frames(SEED, FRAMES)
    raw = [encode_frame(frame) for frame in sent]
    received = [decode_frame(one).frame for one in raw]
    encode_rate = per_cpu_second(encode_frame, sent)
    decode_rate = per_cpu_second(decode_frame, raw)
    return Result(
        name="hj212_codec",
        seed=SEED,
        metrics=(
            Metric("encode_frames_s", "frames/s", encode_rate, "higher"),
            Metric("decode_frames_s", "frames/s", decode_rate, "higher"),
        ),
        checks={
            "every frame comes back equal": received == sent,
            f"encode at least {BOUND_FRAMES_S:,.0f} frames/s": encode_rate >= BOUND_FRAMES_S,
            f"decode at least {BOUND_FRAMES_S:,.0f} frames/s": decode_rate >= BOUND_FRAMES_S,
        },
        peers_not_run=("teafull/hjt212 (Go)", "srdgame/lua-HJ212 (Lua)"),
    )
