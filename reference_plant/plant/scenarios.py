"""What goes wrong in the plant, and when: windows with parameters, kept in plant.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as wall_time
from typing import Any
from zoneinfo import ZoneInfo

BAD_SENSOR_FAILURE = 0x808C0000


@dataclass(frozen=True)
class Scenario:
    """One disturbance over a half-open window of plant time."""

    name: str
    from_utc: datetime
    to_utc: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def windows(self, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """When it acts: its own window, or one a day inside it where `daily_from` is given."""
        if "daily_from" not in self.parameters:
            return [(self.from_utc, self.to_utc)]
        begin = wall_time.fromisoformat(self.parameters["daily_from"])
        end = wall_time.fromisoformat(self.parameters["daily_to"])
        found = []
        day = self.from_utc.astimezone(zone).date()
        while day <= self.to_utc.astimezone(zone).date():
            at = datetime.combine(day, begin, zone).astimezone(UTC)
            if self.from_utc <= at < self.to_utc:
                found.append((at, datetime.combine(day, end, zone).astimezone(UTC)))
            day += timedelta(days=1)
        return found

    def to_json(self) -> dict[str, Any]:
        """As plant.json holds it."""
        return {
            "name": self.name,
            "from_utc": self.from_utc.isoformat(),
            "to_utc": self.to_utc.isoformat(),
            **self.parameters,
        }


def from_json(entry: Mapping[str, Any]) -> Scenario:
    """The scenario of one entry of plant.json; every further key is a parameter.

    Raises:
        ValueError: name or window is missing or unreadable.
    """
    try:
        return Scenario(
            name=entry["name"],
            from_utc=datetime.fromisoformat(entry["from_utc"]).astimezone(UTC),
            to_utc=datetime.fromisoformat(entry["to_utc"]).astimezone(UTC),
            parameters={key: entry[key] for key in entry if key not in ("name", "from_utc", "to_utc")},
        )
    except (KeyError, ValueError) as error:
        msg = f"plant.json scenario {entry!r}: expected name, from_utc and to_utc (ISO 8601 with offset)"
        raise ValueError(msg) from error


def defaults(zone: ZoneInfo, history_start: datetime, live_from: datetime, until: datetime) -> list[Scenario]:
    """The disturbances of the demonstration, for a history that begins on a plant day's midnight."""
    day = history_start.astimezone(zone)

    def local(hour: int, minute: int = 0) -> datetime:
        return day.replace(hour=hour, minute=minute).astimezone(UTC)

    def live(minutes: float) -> datetime:
        return live_from + timedelta(minutes=minutes)

    stacks = {"outlets": ["DA001", "DA002"], "state": 3, "daily_from": "03:00", "daily_to": "03:25"}
    water = {"outlets": ["DW001"], "state": 3, "daily_from": "04:00", "daily_to": "04:30"}
    fault = {"tag_id": "DA001.PM", "status_code": BAD_SENSOR_FAILURE, "outlets": ["DA001"], "state": 2}
    return [
        Scenario("rain", local(9, 30), local(12)),
        Scenario("exceedance", local(14), local(17), {"tag_id": "DA001.NOX", "rise": 180.0}),
        Scenario("instrument_fault", local(20), local(20, 40), fault),
        Scenario("calibration", history_start, until, stacks),
        Scenario("calibration", history_start, until, water),
        Scenario("gas_release", live(40), live(48), {"tag_id": "GD101.NH3", "rise": 38.0}),
        Scenario("unit_change", live_from, until, {"tag_id": "T102.TEMP", "unit": "K", "shift": 273.15}),
        Scenario("server_outage", live(55), live(60), {"system_id": "opcua_environment"}),
        Scenario("receiver_outage", live(72), live(78), {"receiver": "province"}),
        Scenario("late_lab_sheet", live_from, until),
    ]
