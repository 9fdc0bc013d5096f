"""The collector process: every server and source of `collector.yml`, and the gateway's sender.

It offers the business zone no service and never listens there; only a source of kind hj212 listens, to the
instruments of the control zone, and one of a pair to its peer there, where its settings say.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from ingestion.collector.exclusion import hold_state
from ingestion.collector.settings import load_settings
from ingestion.collector.sources.opening import open_source
from ingestion.collector.standby.opening import open_pair
from ingestion.collector.system import SystemCollector
from ingestion.gateway.opening import open_sender
from protocols import opcua_time
from protocols.clock import load_clock
from protocols.keys import load_sign_key

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.gateway.sender import Sender

SEND_EVERY_S = 0.2
SEND_AGAIN_S = 5.0
_log = logging.getLogger(__name__)


async def run_collector(config_path: Path, stop: asyncio.Event | None = None) -> None:
    """Collect until `stop` is set, then seal and send what is left.

    Raises:
        SettingsError, TagTableError, MarksError, KeyFileError: it cannot start; the message says what to
        correct. AlreadyRunningError: another collector writes the same streams.
    """
    opcua_time.install()
    # It logs a traceback for every lost connection, which is told in one line by the collector itself.
    logging.getLogger("asyncua.client.ua_session").setLevel(logging.CRITICAL)
    settings = load_settings(config_path)
    clock = load_clock(settings.clock)
    sign_key = load_sign_key(settings.pki.sign_key)
    with hold_state(settings.state_dir, "starting the collector"):
        pair = open_pair(settings, sign_key, clock)
        if pair is not None:
            workers = [asyncio.create_task(pair.run())]
        else:
            systems = [SystemCollector(server, settings, sign_key, clock) for server in settings.servers]
            sources = [open_source(source, settings, sign_key, clock) for source in settings.sources]
            workers = [asyncio.create_task(system.run()) for system in systems]
            workers += [asyncio.create_task(source.run()) for source in sources]
        sender = open_sender(settings, sign_key, None if pair is None else pair.for_heartbeat)
        if sender is not None:
            workers.append(asyncio.create_task(_send(sender)))
        await _until_stopped(workers, stop)
        if sender is not None:
            await _send_once(sender)


def main(config_path: Path) -> None:
    """Run the collector as a process; SIGTERM and SIGINT end it with a last seal."""
    asyncio.run(_run_with_signals(config_path))


async def _run_with_signals(config_path: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_collector(config_path, stop)


async def _until_stopped(workers: list[asyncio.Task[None]], stop: asyncio.Event | None) -> None:
    """Wait for `stop` or for a worker that failed; end the others either way."""
    waiting = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait([waiting, *workers], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (waiting, *workers):
            task.cancel()
        results = await asyncio.gather(waiting, *workers, return_exceptions=True)
    failures = [result for result in results if isinstance(result, Exception)]
    if failures:
        msg = "the collector stopped because of a fault of its own; nothing that was sealed is lost"
        raise ExceptionGroup(msg, failures)


async def _send(sender: Sender) -> None:
    while True:
        is_sent = await _send_once(sender)
        await asyncio.sleep(SEND_EVERY_S if is_sent else SEND_AGAIN_S)


async def _send_once(sender: Sender) -> bool:
    try:
        await asyncio.to_thread(sender.send_once)
    except OSError:
        # The gateway may be away for hours: segments wait here, and are sent when it is back.
        _log.exception("sending through the gateway")
        return False
    return True
