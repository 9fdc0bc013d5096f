"""What every benchmark returns, and how it is printed and kept."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Metric:
    """One quantity under one condition, ours beside every peer that ran."""

    metric: str
    unit: str
    ours: float
    better: Literal["higher", "lower"]
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def ratio_to_best(self) -> float | None:
        """Ours over the best peer's (its inverse where lower is better); None without a peer or over zero."""
        if not self.peers:
            return None
        over, under = (
            (self.ours, max(self.peers.values()))
            if self.better == "higher"
            else (min(self.peers.values()), self.ours)
        )
        return over / under if under else None


@dataclass(frozen=True)
class Result:
    """One run of one benchmark."""

    name: str
    seed: int
    metrics: tuple[Metric, ...]
    checks: dict[str, bool]
    peers_not_run: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every answer agreed and every bound held."""
        return all(self.checks.values())


def machine() -> dict[str, object]:
    """Processor, cores and memory of this machine."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": cpu or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages * size / 2**30, 1),
    }


def commit() -> str:
    """The commit measured."""
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def save(result: Result) -> Path:
    """Write `results/<name>.json` and return its path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{result.name}.json"
    document = {
        "name": result.name,
        "commit": commit(),
        "machine": machine(),
        "metrics": [{**asdict(metric), "ratio_to_best": metric.ratio_to_best} for metric in result.metrics],
        "peers_not_run": list(result.peers_not_run),
        "checks": [{"check": check, "ok": ok} for check, ok in result.checks.items()],
        "seed": result.seed,
        "load1": os.getloadavg()[0],
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
