"""Live values: every sample that falls due is written once, in order of source time, however late we are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from asyncua import Server, ua

from protocols.clock import Clock
from protocols.opcua_time import TICKS_PER_SECOND, from_ticks, to_ticks
from reference_plant.plant.alarms import AlarmEvent, active_events, alarm_events
from reference_plant.plant.simulation import Plant, Series
from reference_plant.plant.tags import Tag
from reference_plant.servers.address_space import write_unit
from reference_plant.servers.events import condition_event
from reference_plant.servers.values import data_value

AHEAD_TICKS = 300 * TICKS_PER_SECOND  # computed at a time, so that the cost of a window is spread
LATEST_TICKS = 180 * TICKS_PER_SECOND  # no tag is silent for longer
SHORTEST_SLEEP_S, LONGEST_SLEEP_S = 0.02, 0.5
WRITES_BETWEEN_BREATHS = 200


@dataclass(frozen=True)
class Due:
    """Something that happens on the server at a moment of plant time."""

    ticks: int
    perform: Callable[[], Awaitable[None]]


class LiveValues:
    """Writes one system's samples, alarm events and unit changes as plant time passes."""

    def __init__(self, server: Server, plant: Plant, system_id: str, *, namespace: int, clock: Clock) -> None:
        self._server = server
        self._plant = plant
        self._system_id = system_id
        self._namespace = namespace
        self._clock = clock
        self._tags = plant.systems[system_id]

    async def show_state(self, at_ticks: int, first_ticks: int) -> None:
        """What a server that has just started shows: last values, units in force, conditions still active."""
        for due in self._unit_changes(first_ticks, at_ticks):
            await due.perform()
        for tag in self._tags:
            series = self._plant.series(tag.tag_id, max(first_ticks, at_ticks - LATEST_TICKS), at_ticks)
            if len(series):
                await self._write(tag, series, len(series) - 1)
            else:
                await self._write_waiting(tag)
        for event in active_events(
            self._plant, self._system_id, from_ticks(at_ticks), from_ticks(first_ticks)
        ):
            await self._raise(event)

    async def run(self, start_ticks: int, end_ticks: int, stop: asyncio.Event) -> None:
        """Performs everything due from start to end, in order, until the end has passed or `stop` is set."""
        begin = start_ticks
        while begin < end_ticks:
            end = min(begin + AHEAD_TICKS, end_ticks)
            for count, due in enumerate(self._due(begin, end)):
                if not await self._wait_for(due.ticks, stop):
                    return
                await due.perform()
                if count % WRITES_BETWEEN_BREATHS == 0:
                    await asyncio.sleep(0)
            begin = end
        await self._wait_for(end_ticks, stop)

    async def _wait_for(self, ticks: int, stop: asyncio.Event) -> bool:
        """Waits until plant time has reached `ticks`; false when told to stop."""
        while not stop.is_set():
            missing = (ticks - to_ticks(self._clock.now())) / TICKS_PER_SECOND
            if missing <= 0:
                return True
            pause = self._clock.real_seconds(missing)
            await _sleep(min(max(pause, SHORTEST_SLEEP_S), LONGEST_SLEEP_S), stop)
        return False

    def _due(self, begin: int, end: int) -> list[Due]:
        found = self._unit_changes(begin, end)
        for tag in self._tags:
            series = self._plant.series(tag.tag_id, begin, end)
            found += [
                Due(ticks, partial(self._write, tag, series, place))
                for place, ticks in enumerate(series.ticks.tolist())
            ]
        events = alarm_events(self._plant, self._system_id, from_ticks(begin), from_ticks(end))
        found += [Due(event.ticks, partial(self._raise, event)) for event in events]
        return sorted(found, key=lambda due: due.ticks)

    def _unit_changes(self, begin: int, end: int) -> list[Due]:
        found = []
        tags = {tag.tag_id: tag for tag in self._tags}
        for scenario in self._plant.scenarios:
            tag = tags.get(scenario.parameters.get("tag_id", ""))
            if scenario.name != "unit_change" or tag is None or tag.unit is None:
                continue
            unit, shift = scenario.parameters["unit"], scenario.parameters["shift"]
            changes = ((to_ticks(scenario.from_utc), unit, shift), (to_ticks(scenario.to_utc), tag.unit, 0.0))
            for ticks, new_unit, new_shift in changes:
                if begin <= ticks < end:
                    change = partial(write_unit, self._server, self._namespace, tag, new_unit, new_shift)
                    found.append(Due(ticks, change))
        return found

    async def _write(self, tag: Tag, series: Series, place: int) -> None:
        value = data_value(
            tag.data_type,
            series.ticks[place].item(),
            series.values[place],
            int(series.status[place]),
            self._clock.now(),
        )
        await self._write_value(tag, value)

    async def _write_waiting(self, tag: Tag) -> None:
        status = ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
        await self._write_value(tag, ua.DataValue(ua.Variant(None), StatusCode=status))

    async def _write_value(self, tag: Tag, value: ua.DataValue) -> None:
        node_id = ua.NodeId(tag.tag_id, self._namespace)
        space = self._server.iserver.aspace
        status = await space.write_attribute_value(node_id, ua.AttributeIds.Value, value)
        status.check()

    async def _raise(self, event: AlarmEvent) -> None:
        await self._server.iserver.subscription_service.trigger_event(condition_event(event, self._namespace))


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
