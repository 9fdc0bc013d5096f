"""Stock asyncua as a peer that writes nothing: `python -m benchmarks.asyncua_peer '<json>'`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256


class Counter:
    """asyncua's handler of data changes."""

    def __init__(self) -> None:
        self.values, self.sum = 0, 0.0

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        self.values += 1
        self.sum += value


async def subscribe(client: Client, options: dict[str, Any]) -> None:
    counter = Counter()
    subscription = await client.create_subscription(options["publish_ms"], counter)
    nodes = [client.get_node(f"ns={options['namespace']};s=T{tag}") for tag in range(options["tags"])]
    for begin in range(0, len(nodes), 1000):
        await subscription.subscribe_data_change(
            nodes[begin : begin + 1000], queuesize=20, sampling_interval=0.0
        )
    while True:
        await asyncio.sleep(1)
        line = {"values": counter.values, "cpu_s": time.process_time(), "sum": counter.sum}
        print(json.dumps(line), flush=True)


async def read_history(client: Client, options: dict[str, Any]) -> None:
    begin, end = (datetime.fromtimestamp(options[name] / 1000, UTC) for name in ("begin_ms", "end_ms"))
    begun, values, total = time.process_time(), 0, 0.0
    for name in options["history"]:
        node = client.get_node(f"ns={options['namespace']};s={name}")
        for value in await node.read_raw_history(begin, end, 0):
            values += 1
            total += value.Value.Value
    print(json.dumps({"values": values, "cpu_s": time.process_time() - begun, "sum": total}), flush=True)


async def main(options: dict[str, Any]) -> None:
    client = Client(options["url"], timeout=60, watchdog_intervall=3600)
    if options.get("secure"):
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            options["certificate"],
            options["key"],
            server_certificate=options["server_certificate"],
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
        client.application_uri = "urn:chemlink:collector"
    async with client:
        await (read_history if options.get("history") else subscribe)(client, options)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
