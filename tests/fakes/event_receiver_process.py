"""The receiver of events as a process of its own, to be killed: folder and port from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from ingestion.webhooks.receiver import ReceiverSpec, Sender, run_receiver

KEY = b"a key of the test"

if __name__ == "__main__":
    senders = {"weighbridge": Sender(KEY, frozenset({"tickets"}))}
    run_receiver(ReceiverSpec("127.0.0.1", int(sys.argv[2]), Path(sys.argv[1]), senders))
