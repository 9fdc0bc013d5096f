"""The two ends as processes: `python -m benchmarks.gateway_udp.ends send|receive <json>`; each prints JSON.

They run what the collector and `chemlink receive` run, in whatever network namespace they are started.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ingestion.gateway.datagram_receiving import DatagramReceiver, go_first
from ingestion.gateway.inbox import Inbox
from ingestion.gateway.sender import Beats, Sender
from ingestion.gateway.udp_link import UdpLink, UdpTarget
from ingestion.gateway.udp_receiver import UdpReceiver

COLLECTOR = "bench_collector"
# Both ends know these; they protect nothing.
SIGN_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BOX_KEY = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def send(order: dict[str, Any]) -> dict[str, Any]:
    """Send everything below `state_dir`, then two heartbeats more, so that the end of it is known."""
    state_dir = Path(order["state_dir"])
    target = UdpTarget(
        host=order["host"],
        port=order["port"],
        bytes_s=order["rate_mb_s"] * 1e6,
        survives_loss=order["survives_loss"],
        receiver_key=BOX_KEY.public_key() if order.get("encrypt") else None,
    )
    link = UdpLink(target, COLLECTOR, SIGN_KEY, state_dir)
    beats = Beats(COLLECTOR, SIGN_KEY, 0.2)
    sender = Sender(state_dir, link, 72.0, backlog_bytes_s=1e12, beats=beats)
    began, cpu = time.monotonic(), time.process_time()
    segments = sender.send_once(turn_s=order.get("turn_s", 600.0))
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    for _ in range(3):
        time.sleep(0.25)
        sender.send_once()
    return {"segments": segments, "seconds": seconds, "cpu_s": cpu}


def receive(order: dict[str, Any]) -> dict[str, Any]:
    """Receive until standard input ends, as the sender has then, and nothing has come for `quiet_s`."""
    folder = Path(order["folder"])
    go_first()
    port = DatagramReceiver(order["host"], order["port"])
    inbox = Inbox(folder / "inbox", SIGN_KEY.public_key(), least_free_bytes=0)
    receiver = UdpReceiver(port, inbox, SIGN_KEY.public_key(), folder / "links", box_key=BOX_KEY)
    sender_ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), sender_ended.set()), daemon=True).start()
    seen = {"bytes": -1, "at": time.monotonic()}

    def is_over() -> bool:
        total = sum(link.counts.bytes_received for link in receiver.links.values())
        if total != seen["bytes"] or not sender_ended.is_set():
            seen["bytes"], seen["at"] = total, time.monotonic()
        return time.monotonic() - seen["at"] > order.get("quiet_s", 1.5)

    print("listening", flush=True)
    cpu = time.process_time()
    receiver.run(is_over)
    link = receiver.links.get(COLLECTOR)
    return {
        "cpu_s": time.process_time() - cpu,
        "counts": asdict(link.counts) if link else {},
        "refused": receiver.datagrams_refused,
        "overflowed": port.overflowed,
        "missing": {name: found.pairs() for name, found in link.missing().items()} if link else {},
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    """Run one end."""
    what, order = sys.argv[1], json.loads(sys.argv[2])
    if "core" in order and order["core"] in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {order["core"]})
    threading.current_thread().name = what
    print(json.dumps({"send": send, "receive": receive}[what](order)), flush=True)


if __name__ == "__main__":
    main()
