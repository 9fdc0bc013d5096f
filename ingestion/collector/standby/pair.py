"""One of two collectors: it hears the other, decides who collects, and begins or ends the collecting."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ingestion.collector.redundancy import ServerSet
from ingestion.collector.standby.copies import PEER_FOLDER, Copies
from ingestion.collector.standby.election import Act, Standing, decide, next_epoch
from ingestion.collector.standby.epochs import load_epochs, save_epochs
from ingestion.collector.standby.framing import PeerCertificates
from ingestion.collector.standby.link import PeerLink
from ingestion.collector.standby.pair_status import no_redundancy, write_pair_status
from ingestion.collector.standby.peer_view import PeerView
from ingestion.collector.standby.replicating import Replication
from protocols.heartbeat import PairBeat
from protocols.pair_streams import SPARE_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ingestion.collector.settings import CollectorSettings
    from ingestion.collector.standby.settings import StandbySettings
    from protocols.clock import Clock

ORDER_NAME = "hand_over"
LOOK_EVERY_S = 0.1
STATUS_EVERY_S = 1.0
# A collector that the peer has relieved does not relieve the peer again at once.
CLAIM_AGAIN_S = 60.0
_log = logging.getLogger(__name__)


class Collected(Protocol):
    """One system's collection, as far as the pair is concerned."""

    @property
    def system_id(self) -> str:
        """Which system."""

    @property
    def is_connected(self) -> bool:
        """Whether it has a session and may read."""

    async def run(self) -> None:
        """Collect until cancelled."""

    def note_takeover(self, since: datetime, detail: str) -> None:
        """Tell the business zone that the collector changed."""

    def alarm(self, name: str, text: str | None) -> None:
        """Raise an alarm for the operator, or take it back."""


def suffixes(standby: StandbySettings) -> tuple[str, str]:
    """What ends the names of our streams, and of the peer's."""
    return ("", SPARE_SUFFIX) if standby.is_main else (SPARE_SUFFIX, "")


class Pair:
    """This collector's part of the pair.

    Args:
        settings: the collector's settings, with a `standby` block.
        sign_key: seals; the peer's is the same.
        clock: plant time.
        open_systems: makes the collections anew, from what is committed by both at that instant.

    Raises:
        SettingsError: a certificate or the file of epochs cannot be read.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        sign_key: Ed25519PrivateKey,
        clock: Clock,
        open_systems: Callable[[], Sequence[Collected]],
    ) -> None:
        assert settings.standby is not None, "it has a peer"
        self._settings, self._standby, self._clock = settings, settings.standby, clock
        self._open_systems = open_systems
        self._folder = settings.state_dir / PEER_FOLDER
        own_suffix, peer_suffix = suffixes(self._standby)
        names = [server.system_id for server in settings.servers]
        self._copies = Copies(settings.state_dir, names, peer_suffix, sign_key.public_key())
        self._epochs = load_epochs(self._folder)
        self._view = PeerView(clock, self._standby.unreached_after_seconds)
        self._link = PeerLink(
            self._standby,
            PeerCertificates(
                settings.pki.certificate,
                settings.pki.private_key,
                self._standby.peer_certificate,
                self._folder,
            ),
            self._copies,
            Replication(settings.state_dir, names, own_suffix),
            self.standing,
            self._hear,
        )
        self._systems: Sequence[Collected] = ()
        self._work: asyncio.Task[None] | None = None
        self._reaching: asyncio.Task[bool] | None = None
        self._yields = False
        self._relieved_at = float("-inf")
        self._wrote_status_at = float("-inf")

    async def run(self) -> None:
        """Stand by and collect, until cancelled; what is collected by then is sealed."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._link.serve())
                group.create_task(self._link.speak())
                group.create_task(self._decide())
        finally:
            await self._end_work()
            self._write_status()

    def standing(self) -> Standing:
        """What we say of ourselves."""
        return Standing(
            self._settings.collector_id,
            self._standby.is_main,
            is_active=self._work is not None,
            epoch=self._epochs.epoch,
            led_epoch=self._epochs.led,
            yields=self._yields,
            unreached=tuple(system.system_id for system in self._systems if not system.is_connected),
        )

    def for_heartbeat(self) -> PairBeat:
        """What the business zone is told with each heartbeat."""
        return PairBeat(
            is_main=self._standby.is_main,
            is_active=self._work is not None,
            epoch=self._epochs.led,
            peer_is_heard=self._is_heard,
        )

    @property
    def _is_heard(self) -> bool:
        return self._view.is_heard(self._standby.takeover_after_seconds)

    def _hear(self, standing: Standing) -> None:
        if standing.is_main == self._standby.is_main:
            msg = f"{standing.collector_id} is {'main' if standing.is_main else 'spare'} like this one"
            msg = f"{msg}; one of the two must have preference: main, the other preference: spare"
            raise ValueError(msg)
        self._view.hear(standing)
        known = replace(
            self._epochs,
            epoch=max(self._epochs.epoch, standing.epoch),
            peer_led=max(self._epochs.peer_led, standing.led_epoch),
        )
        if known != self._epochs:
            self._epochs = known
            save_epochs(self._folder, known)

    async def _decide(self) -> None:
        while True:
            self._view.look(is_active=self._work is not None)
            if self._work is not None and self._work.done():
                await self._work  # a fault of its own: the process ends, and the peer takes over
            await self._take_order()
            own = self.standing()
            heard = self._view.heard(may_claim=self._may_claim())
            act = decide(own, heard, self._standby.takeover_after_seconds)
            if act is Act.ACTIVATE:
                await self._activate(own)
            elif act is Act.STEP_DOWN:
                _log.warning("standby: the peer collects with a higher epoch; this collector steps down")
                self._relieved_at = time.monotonic()
                await self._end_work()
            self._tell()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _activate(self, own: Standing) -> None:
        peer, before = self._view.standing, self._epochs
        why = self._why()
        epoch = next_epoch(own, peer)
        self._epochs = replace(before, epoch=epoch, led=epoch)
        await asyncio.to_thread(save_epochs, self._folder, self._epochs)
        adopted = await asyncio.to_thread(self._copies.adopt)
        self._systems = await asyncio.to_thread(self._open_systems)
        since = self._view.heard_at_utc
        detail = f"{own.collector_id}, epoch {epoch}: {why}"
        _log.warning("standby: collecting, %s; %d segments of the peer to send", detail, adopted)
        if before.peer_led > before.led:
            for system in self._systems:
                system.note_takeover(since, detail)
        self._yields = False
        self._work = asyncio.create_task(_run_all(self._systems))

    def _why(self) -> str:
        peer = self._view.standing
        if peer is None or not self._is_heard:
            silent_s = self._view.silent_s
            return f"对方 {silent_s:.1f} 秒无应答 / the peer was not heard for {silent_s:.1f} s"
        if peer.is_active:
            names = ", ".join(peer.unreached)
            return f"{peer.collector_id} 连不上 {names} / {peer.collector_id} has no session with {names}"
        if peer.yields:
            return f"{peer.collector_id} 按命令移交 / handed over by {peer.collector_id}"
        return "双方均未采集 / neither was collecting"

    async def _end_work(self) -> None:
        work, self._work, self._systems = self._work, None, ()
        if work is None:
            return
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    def _may_claim(self) -> bool:
        """Whether the active peer lacks a server that we reach, with all others; asked in the background."""
        is_due = time.monotonic() - self._relieved_at >= CLAIM_AGAIN_S
        if self._work is not None or not self._view.lacks_a_server or not is_due:
            return False
        if self._reaching is None:
            self._reaching = asyncio.create_task(self._reaches_all())
        if not self._reaching.done():
            return False
        answer, self._reaching = self._reaching.result(), None
        return answer

    async def _reaches_all(self) -> bool:
        sets = [ServerSet(server, self._settings) for server in self._settings.servers]
        return all(await asyncio.gather(*(each.is_reached() for each in sets)))

    async def _take_order(self) -> None:
        """Hand over, as an operator ordered: seal, give the peer everything, then let it begin."""
        order = self._folder / ORDER_NAME
        if not order.exists():
            return
        order.unlink()
        if self._work is None or not self._is_heard:
            _log.warning("standby: not handed over: not collecting, or the peer is silent")
            return
        await self._end_work()
        self._link.has_all = False
        try:
            async with asyncio.timeout(self._standby.takeover_after_seconds):
                while not self._link.has_all:
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            _log.warning("standby: handed over before the peer had everything; it reads history for the rest")
        self._yields = True

    def _tell(self) -> None:
        peer = self._view.standing
        if self._yields and peer is not None and peer.is_active and self._is_heard:
            self._yields = False
        if time.monotonic() - self._wrote_status_at < STATUS_EVERY_S:
            return
        self._wrote_status_at = time.monotonic()
        text = no_redundancy(self._view, self._link, is_heard=self._is_heard)
        for system in self._systems:
            system.alarm("no_redundancy", text)
        self._write_status()

    def _write_status(self) -> None:
        text = no_redundancy(self._view, self._link, is_heard=self._is_heard)
        write_pair_status(
            self._folder, self.standing(), self._view, self._link, text, is_heard=self._is_heard
        )


async def _run_all(systems: Sequence[Collected]) -> None:
    async with asyncio.TaskGroup() as group:
        for system in systems:
            group.create_task(system.run())
