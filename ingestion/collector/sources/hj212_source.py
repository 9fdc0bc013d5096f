"""A listener for instruments and data loggers that speak HJ 212: sealed first, answered then.

Not supported: requests to the instruments (setting clocks, calibrating, asking for history are commands to
the plant), and the encryption of the 2025 edition.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from ingestion.collector.sources.hj212_connection import Connection
from ingestion.collector.sources.hj212_devices import Devices
from ingestion.collector.sources.hj212_values import FrameValues
from ingestion.collector.sources.items import Refusal
from ingestion.collector.sources.source import Source

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings
    from ingestion.collector.sources.settings import Hj212Settings
    from protocols.clock import Clock

FIRST_BACKOFF_S = 0.5
LOOK_EVERY_S = 1.0
# A logger sends a frame and waits: a single one that waits brings a seal.
STALLED_AT = 1
CLOSING_S = 2.0
_log = logging.getLogger(__name__)


class Hj212Source(Source):
    """Collects from everything that may connect.

    Args:
        source: where to listen, and to whom.
        settings: the collector's settings.
        sign_key: signs the segments.
        clock: plant time.

    Raises:
        SettingsError: a device's password cannot be read.
        TagTableError, MarksError: the tag table or what was sealed before cannot be read.
    """

    def __init__(
        self, source: Hj212Settings, settings: CollectorSettings, sign_key: Ed25519PrivateKey, clock: Clock
    ) -> None:
        url = f"hj212://{source.host}:{source.port}"
        super().__init__(source, url, STALLED_AT, settings, sign_key, clock)
        self.source = source
        self.devices = Devices(source.devices)
        self.values = FrameValues(source.system_id, self.tags)
        self.connections: set[Connection] = set()
        self.port = source.port
        self._reconnect_within_s = settings.reconnect_within_s
        self._networks = [ipaddress.ip_network(peer) for peer in source.peers]
        self._refused_peers: Counter[str] = Counter()
        self._server: asyncio.Server | None = None

    async def collect(self) -> None:
        """Listen for ever; an address that is not there yet is tried again."""
        backoff_s = FIRST_BACKOFF_S
        while self._server is None:
            try:
                self._server = await asyncio.start_server(self._accept, self.source.host, self.source.port)
            except OSError as error:
                self.status.last_error = f"listening at {self.status.url}: {error}; tried again"
                _log.warning("%s: %s", self.status.system_id, self.status.last_error)
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, self._reconnect_within_s)
        self.port = self._server.sockets[0].getsockname()[1]
        self.status.connected, self.status.last_error = True, None
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for device in self.devices:
                for frame, data_time, connection in device.packets.give_up(self.source.packets_wait_s):
                    connection.take_data(device, frame, data_time)

    async def end(self) -> None:
        """Stop listening, and close every connection once its answers are out."""
        if self._server is not None:
            self._server.close()
        closing = [connection.close() for connection in self.connections]
        if closing:
            await asyncio.wait([asyncio.ensure_future(close) for close in closing], timeout=CLOSING_S)

    def measure(self) -> dict[str, Any]:
        """Who is connected, who was refused, and what devices do otherwise than the standard says."""
        return {
            "port": self.port,
            "connections_open": len(self.connections),
            "refused_peers": dict(self._refused_peers),
            "devices": {device.settings.mn: device.content() for device in self.devices},
        }

    def refuse(self, subject: str, code: str, zh: str, en: str, content: str) -> None:
        """Keep in sight what nobody is told of."""
        self.admission.refuse(Refusal(subject, code, zh, en, content), self.now())
        self.turns.arrived()

    def is_overloaded(self) -> bool:
        """Whether the disk refuses and enough waits already: then nothing more is read."""
        waiting = max(len(self.admission), self.admission.messages_waiting)
        return self.turns.is_stuck and waiting >= self.source.max_waiting

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername", ("?",))[0])
        if not self._may_connect(peer):
            if len(self._refused_peers) < self.source.max_connections or peer in self._refused_peers:
                self._refused_peers[peer] += 1
            writer.transport.abort()
            return
        self.status.connections += 1
        connection = Connection(self, peer, writer)
        self.connections.add(connection)
        try:
            await connection.serve(reader)
        except (OSError, TimeoutError) as error:
            _log.info("%s: %s: %r", self.status.system_id, peer, error)
        finally:
            self.connections.discard(connection)
            writer.close()

    def _may_connect(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        is_listed = any((mapped or address) in network for network in self._networks)
        return is_listed and len(self.connections) < self.source.max_connections
