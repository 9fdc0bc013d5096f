"""Stock asyncua with auto-reconnect, writing what it receives: a line `tag,source ms` a value."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from asyncua import Client, Node, ua

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Writer:
    """asyncua's handler of data changes."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def datachange_notification(self, node: Node, value: Any, data: Any) -> None:
        at = data.monitored_item.Value.SourceTimestamp.replace(tzinfo=UTC)
        milliseconds = int((at - EPOCH).total_seconds() * 1000 + 1e-3)
        self._output.write(f"{node.nodeid.Identifier},{milliseconds}\n")


async def main(options: dict[str, Any]) -> None:
    """Subscribe and write until killed."""
    client = Client(options["url"], auto_reconnect=True, reconnect_max_delay=4.0)
    await client.connect()
    index = await client.get_namespace_index("urn:chemlink:fault")
    with Path(options["output"]).open("a", encoding="utf-8", buffering=1) as output:
        subscription = await client.create_subscription(options["publish_ms"], Writer(output))
        nodes = [client.get_node(ua.NodeId(name, index)) for name in options["tags"]]
        await subscription.subscribe_data_change(
            nodes, queuesize=options["queue_size"], sampling_interval=0.0
        )
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
