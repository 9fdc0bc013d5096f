"""A relay that delays some datagrams past others and repeats some: `python -m …gateway_udp.relay <json>`.

It stands on the receiver's side of the link, so that the way back stays cut.
"""

from __future__ import annotations

import heapq
import json
import random
import socket
import sys


def main() -> None:
    """Relay until nothing has come for `quiet_s`; print what was done."""
    order = json.loads(sys.argv[1])
    chance = random.Random(order["seed"])
    taking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taking.setsockopt(socket.SOL_SOCKET, 33, 64 * 1024 * 1024)  # SO_RCVBUFFORCE
    taking.bind((order["host"], order["port"]))
    giving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target = (order["host"], order["to_port"])
    print("listening", flush=True)
    waiting: list[tuple[int, int, bytes]] = []
    taken = reordered = repeated = 0
    taking.settimeout(order["first_s"])
    while True:
        try:
            datagram = taking.recv(2048)
        except TimeoutError:
            break
        taking.settimeout(order["quiet_s"])
        taken += 1
        delay = 0
        if chance.random() < order["reordered"]:
            delay, reordered = chance.randint(1, order["window"]), reordered + 1
        heapq.heappush(waiting, (taken + delay, taken, datagram))
        if chance.random() < order["repeated"]:
            heapq.heappush(waiting, (taken + chance.randint(1, order["window"]), -taken, datagram))
            repeated += 1
        while waiting and waiting[0][0] <= taken:
            giving.sendto(heapq.heappop(waiting)[2], target)
    while waiting:
        giving.sendto(heapq.heappop(waiting)[2], target)
    print(json.dumps({"taken": taken, "reordered": reordered, "repeated": repeated}), flush=True)


if __name__ == "__main__":
    main()
