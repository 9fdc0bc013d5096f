"""The server process of one control system: up, down for an outage of the scenarios, and up again.

An outage stops the server as a crash of its machine would: sessions and subscriptions are gone, clients find
nobody at the port. The control system behind it goes on, so history is complete once the server is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asyncua import Server, ua

from protocols import opcua_time
from protocols.clock import Clock, load_clock
from protocols.opcua_time import to_ticks
from reference_plant.pki import server_uri
from reference_plant.plant.simulation import Plant, load_plant
from reference_plant.plant.tags import namespace_uri
from reference_plant.servers.address_space import add_tags
from reference_plant.servers.events import EVENT_TYPE_IDS
from reference_plant.servers.history import PlantHistory
from reference_plant.servers.live import LiveValues
from reference_plant.servers.trust import TrustList, read_trust_list

log = logging.getLogger(__name__)

FOREVER_TICKS = opcua_time.MAX_TICKS


@dataclass(frozen=True)
class ServerPlan:
    """Everything one server process needs to know."""

    system_id: str
    port: int
    namespace_uri: str
    plant: Plant
    clock: Clock
    certificate: Path
    private_key: Path
    trust: TrustList
    first_ticks: int
    until_ticks: int

    def outage_at(self, ticks: int) -> tuple[int, int] | None:
        """The outage that is running at a moment, or else the next one."""
        windows = [
            (to_ticks(scenario.from_utc), to_ticks(scenario.to_utc))
            for scenario in self.plant.scenarios
            if scenario.name == "server_outage" and scenario.parameters["system_id"] == self.system_id
        ]
        return min((window for window in windows if window[1] > ticks), default=None)


def read_plan(site_dir: Path, system_id: str) -> ServerPlan:
    """The plan of a site's server.

    Raises:
        KeyError: the site has no such system.
        FileNotFoundError: the directory is not a reference plant's site.
    """
    described = json.loads((site_dir / "plant.json").read_text(encoding="utf-8"))
    own = site_dir / "pki" / "servers" / system_id
    plant = load_plant(site_dir)
    return ServerPlan(
        system_id=system_id,
        port=described["ports"][system_id],
        namespace_uri=namespace_uri(plant.systems[system_id]),
        plant=plant,
        clock=load_clock(site_dir / "clock.json"),
        certificate=own / "cert.der",
        private_key=own / "key.pem",
        trust=read_trust_list(own / "trusted"),
        first_ticks=to_ticks(datetime.fromisoformat(described["history_start_utc"])),
        until_ticks=to_ticks(datetime.fromisoformat(described["until_utc"])),
    )


async def serve(plan: ServerPlan, stop: asyncio.Event) -> None:
    """Serves until told to stop, with the outages that the scenarios ask for."""
    opcua_time.install()
    while not stop.is_set():
        now = to_ticks(plan.clock.now())
        outage = plan.outage_at(now)
        if outage is not None and outage[0] <= now:
            await _wait_until(plan.clock, outage[1], stop)
        else:
            await _serve_once(plan, outage[0] if outage else FOREVER_TICKS, stop)


async def _serve_once(plan: ServerPlan, down_at_ticks: int, stop: asyncio.Event) -> None:
    """One life of the server: from start to the next outage, or to the end."""
    server = await _make_server(plan)
    namespace = await server.register_namespace(plan.namespace_uri)
    await add_tags(server, namespace, plan.plant.systems[plan.system_id])
    live = LiveValues(server, plan.plant, plan.system_id, namespace=namespace, clock=plan.clock)

    def produced_until() -> int:
        return min(to_ticks(plan.clock.now()), plan.until_ticks)

    server.iserver.history_manager = PlantHistory(
        server.iserver,
        plan.plant,
        plan.system_id,
        namespace=namespace,
        first_ticks=plan.first_ticks,
        now=produced_until,
    )
    start = max(plan.first_ticks, produced_until())
    await live.show_state(start, plan.first_ticks)
    async with server:
        log.info("%s serves on port %d", plan.system_id, plan.port)
        await live.run(start, min(down_at_ticks, plan.until_ticks), stop)
        await _wait_until(plan.clock, down_at_ticks, stop)
    log.info("%s is down", plan.system_id)


async def _make_server(plan: ServerPlan) -> Server:
    """An asyncua server with one encrypted endpoint, its trust list, and alarms on the Server object."""
    server = Server(user_manager=plan.trust)
    server.iserver.bind_condition_methods = 100  # severity of the refresh events
    await server.init()
    await server.set_application_uri(server_uri(plan.namespace_uri))
    server.set_server_name(f"ChemLink reference plant: {plan.system_id}")
    server.set_endpoint(f"opc.tcp://127.0.0.1:{plan.port}/chemlink")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.set_identity_tokens([ua.AnonymousIdentityToken])
    server.set_certificate_validator(plan.trust.check)
    await server.load_certificate(plan.certificate)
    await server.load_private_key(plan.private_key)
    notifier = [ua.EventNotifier.SubscribeToEvents, ua.EventNotifier.HistoryRead]
    await server.nodes.server.set_event_notifier(notifier)
    for type_id in EVENT_TYPE_IDS:
        reference = ua.AddReferencesItem()
        reference.SourceNodeId = server.nodes.server.nodeid
        reference.ReferenceTypeId = ua.NodeId(ua.ObjectIds.GeneratesEvent)
        reference.IsForward = True
        reference.TargetNodeId = ua.NodeId(type_id)
        reference.TargetNodeClass = ua.NodeClass.ObjectType
        await server.iserver.isession.add_references([reference])
    return server


async def _wait_until(clock: Clock, ticks: int, stop: asyncio.Event) -> None:
    """Waits for a moment of plant time, or to be told to stop."""
    while not stop.is_set():
        missing = (ticks - to_ticks(clock.now())) / opcua_time.TICKS_PER_SECOND
        if missing <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(clock.real_seconds(missing), 3600.0)):
                await stop.wait()


def main(site_dir: Path, system_id: str) -> None:
    """Serves one system of a site until SIGTERM or SIGINT."""
    asyncio.run(_main(read_plan(site_dir, system_id)))


async def _main(plan: ServerPlan) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(plan, stop)
