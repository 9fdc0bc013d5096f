"""The receiver as a process: the UDP port in, the inbox and the link's row out."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ingestion.gateway.datagram_receiving import DatagramReceiver, go_first
from ingestion.gateway.inbox import Inbox
from ingestion.gateway.links import note_counts
from ingestion.gateway.udp_receiver import UdpReceiver
from lake.heartbeats import beat
from lake.state import StateStore

PROCESS = "receive"


@dataclass(frozen=True)
class ReceivingSpec:
    """Everything the receiver must be told.

    Attributes:
        host: the address to listen on.
        port: the port.
        sender_host: take datagrams from this address only; None from any.
        inbox: the folder that landing reads.
        quota_bytes: how much may wait there.
        links_dir: one state file a collector.
        verify_key: the control zone's public gateway key.
        box_key: opens encrypted sessions; None refuses them.
        state: the state store, migrated.
    """

    host: str
    port: int
    sender_host: str | None
    inbox: Path
    quota_bytes: int
    links_dir: Path
    verify_key: Ed25519PublicKey
    box_key: X25519PrivateKey | None
    state: StateStore


def run_receiving(spec: ReceivingSpec, stop: threading.Event) -> None:
    """Receive until told to stop.

    Raises:
        OSError: the port is taken or the address is none of this machine.
    """
    go_first()
    port = DatagramReceiver(spec.host, spec.port, spec.sender_host)
    try:
        inbox = Inbox(spec.inbox, spec.verify_key, quota_bytes=spec.quota_bytes)
        receiver = UdpReceiver(port, inbox, spec.verify_key, spec.links_dir, box_key=spec.box_key)
        tell(spec, receiver)
        receiver.run(stop.is_set, lambda running: tell(spec, running))
    finally:
        port.close()


def tell(spec: ReceivingSpec, receiver: UdpReceiver) -> None:
    """Note that the process lives and what each link counts."""
    with spec.state.begin() as connection:
        for link in receiver.links.values():
            note_counts(connection, link, datagrams_refused=receiver.datagrams_refused)
        segments = sum(link.counts.segments_received for link in receiver.links.values())
        beat(
            connection, PROCESS, detail=f"{segments} segments, {receiver.datagrams_refused} datagrams refused"
        )
