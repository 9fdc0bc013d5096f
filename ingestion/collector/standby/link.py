"""The two connections between the collectors: each of them sends over its own and answers over the other's.

Whatever is sent or answered carries the sender's standing, so one working direction is enough to be heard.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ingestion.collector.standby.election import Standing
from ingestion.collector.standby.framing import PeerError, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingestion.collector.standby.copies import Copies
    from ingestion.collector.standby.framing import PeerCertificates
    from ingestion.collector.standby.replicating import Parcel, Replication
    from ingestion.collector.standby.settings import StandbySettings

_log = logging.getLogger(__name__)


class PeerLink:
    """Speaks with the peer for as long as it runs.

    Args:
        settings: where the peer is.
        certificates: TLS of both directions.
        copies: takes the peer's segments.
        replication: our own segments for the peer.
        standing: what we say of ourselves, at this instant.
        heard: called with each standing of the peer.
    """

    def __init__(
        self,
        settings: StandbySettings,
        certificates: PeerCertificates,
        copies: Copies,
        replication: Replication,
        standing: Callable[[], Standing],
        heard: Callable[[Standing], None],
    ) -> None:
        self._settings, self._certificates = settings, certificates
        self._copies, self._replication = copies, replication
        self._standing, self._heard = standing, heard
        self._timeout_s = settings.takeover_after_seconds
        self._every_s = min(0.5, settings.takeover_after_seconds / 5)
        self._answering: set[asyncio.StreamWriter] = set()
        self.has_all = False
        self.last_error: str | None = None

    async def serve(self) -> None:
        """Answer the peer, for ever.

        Raises:
            OSError: the address cannot be listened at.
        """
        server = await asyncio.start_server(
            self._answer,
            self._settings.listen_host,
            self._settings.listen_port,
            ssl=self._certificates.server,
            ssl_handshake_timeout=5,
        )
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in list(self._answering):
                writer.close()

    async def speak(self) -> None:
        """Tell the peer our standing and give it our segments, for ever."""
        while True:
            try:
                await self._speak()
            except (OSError, EOFError, TimeoutError, ValueError, KeyError, TypeError) as error:
                self.last_error = f"{type(error).__name__}: {error}"
                _log.info("standby peer: %s", self.last_error)
            self.has_all = False
            await asyncio.sleep(self._every_s)

    async def _speak(self) -> None:
        async with asyncio.timeout(self._timeout_s):
            reader, writer = await asyncio.open_connection(
                self._settings.peer_host,
                self._settings.peer_port,
                ssl=self._certificates.client,
                ssl_handshake_timeout=5,
            )
        try:
            self._certificates.require_peer(writer)
            answer = await self._ask(reader, writer, {"put": "nothing", "wants_held": True})
            await asyncio.to_thread(self._replication.begin, answer["held"])
            while True:
                parcel = await asyncio.to_thread(self._replication.next)
                self.has_all = parcel is None
                await self._give(reader, writer, parcel)
                if parcel is None:
                    self.last_error = None
                    await asyncio.sleep(self._every_s)
        finally:
            writer.close()

    async def _give(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, parcel: Parcel | None
    ) -> None:
        if parcel is None:
            await self._ask(reader, writer, {"put": "nothing"})
            return
        answer = await self._ask(reader, writer, parcel.header, parcel.body)
        if answer.get("error"):
            msg = f"the peer refuses {parcel.header}: {answer['error']}"
            raise PeerError(msg)
        self._replication.given(parcel)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        header: dict[str, Any],
        body: bytes = b"",
    ) -> dict[str, Any]:
        sent = await asyncio.to_thread(self._replication.sent)
        # A large checkpoint takes its time on a slow line; a peer that is frozen takes nothing.
        async with asyncio.timeout(self._timeout_s + len(body) / 1e6):
            await send(writer, {"standing": self._standing().fields(), "sent": sent, **header}, body)
            answer, _ = await receive(reader)
        self._heard(Standing.of(answer["standing"]))
        return answer

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answering.add(writer)
        try:
            self._certificates.require_peer(writer)
            while True:
                header, body = await receive(reader)
                self._heard(Standing.of(header["standing"]))
                self._copies.note_sent({str(name): int(last) for name, last in header["sent"].items()})
                answer: dict[str, Any] = {"standing": self._standing().fields()}
                if header.get("wants_held"):
                    answer["held"] = self._copies.held()
                try:
                    await asyncio.to_thread(self._put, header, body)
                except (OSError, ValueError) as error:
                    answer["error"] = f"{type(error).__name__}: {error}"
                await send(writer, answer)
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.info("standby peer, answering: %s: %s", type(error).__name__, error)
        finally:
            self._answering.discard(writer)
            writer.close()

    def _put(self, header: dict[str, Any], body: bytes) -> None:
        if header["put"] == "base":
            self._copies.put_base(str(header["system"]), body)
        elif header["put"] == "file":
            self._copies.put_file(str(header["system"]), str(header["name"]), body)
        elif header["put"] == "segment":
            size = int(header["manifest_size"])
            self._copies.put_segment(
                str(header["system"]), str(header["stream"]), int(header["number"]), body[:size], body[size:]
            )
