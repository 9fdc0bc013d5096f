"""HJ 212 frames as points: every factor's fields, their mark, instrument states and information.

A tag is `<system>.<MN>.<factor>.<field>`; periods say theirs, because the minute, the hour and the day that
begin together would be one instant of one tag: `<system>.<MN>.<factor>.hour.Avg`. Its address in a tag table
is `hj212:<MN>/<CN>/<factor>-<field>`. What belongs to one factor of an analyser (PolId) stands below it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ingestion.collector.sources.items import Refusal, SourcePoint, Taken
from protocols.hj212 import Command
from protocols.opcua_time import to_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingestion.collector.sources.settings import DeviceSettings
    from ingestion.collector.sources.tags import TagRegister
    from protocols.hj212 import Frame, Group

# DataTime is Beijing time (HJ 212-2017 §6.2), which has no summer time.
BEIJING = timezone(timedelta(hours=8))
PERIODS = {
    Command.MINUTE: "minute",
    Command.HOUR: "hour",
    Command.DAY: "day",
    Command.EQUIPMENT_DAY: "day",
}
# Marks of HJ 212-2017 Table 8 as OPC UA status codes. The standard names no such pairs: they are ours, chosen
# so that `opcua_status_marks` gives F, D, T and B back; the mark itself is kept as the factor's tag `Flag`.
STATUS_OF_MARK = {
    "N": 0,
    "F": 0x808D0000,  # BadOutOfService
    "M": 0x40000000,  # Uncertain
    "S": 0x00960000,  # GoodLocalOverride
    "D": 0x808B0000,  # BadDeviceFailure
    "C": 0x40930000,  # UncertainSensorNotAccurate
    "T": 0x40940000,  # UncertainEngineeringUnitsExceeded
    "B": 0x80310000,  # BadNoCommunication
}
UNCERTAIN = 0x40000000
_CONTROL = ("DataTime", "BeginTime", "EndTime", "PolId", "InfoId")
_MARKS = ("Flag", "EFlag")
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_PASSWORD = re.compile(r"PW=[^;,]*")

# analyser's factor or nothing, code, field, value, mark
_Item = tuple[str, str, str, str, "str | None"]


class FrameValues:
    """Reads the values of frames.

    Args:
        system_id: begins every tag's name.
        tags: gives tags to addresses.
    """

    def __init__(self, system_id: str, tags: TagRegister) -> None:
        self._system_id, self._tags = system_id, tags

    def read(self, frame: Frame, data_time: str, device: DeviceSettings, sent: str) -> Taken:
        """What a data frame becomes.

        Args:
            frame: the frame.
            data_time: its instant or the start of its period, as it was sent.
            device: who sent it.
            sent: the frame's text, for what is refused.
        """
        taken = Taken()
        subject = f"{device.mn}/{frame.cn}"
        ticks = ticks_of(data_time)
        if ticks is None:
            zh, en = f"DataTime {data_time!r} 不是北京时间", f"DataTime {data_time!r} is no YYYYMMDDhhmmss"
            taken.refusals.append(Refusal(subject, "no_time", zh, en, without_password(sent)))
            return taken
        for item in _items(frame):
            self._take(item, frame, ticks, device, subject, taken)
        return taken

    def _take(
        self, item: _Item, frame: Frame, ticks: int, device: DeviceSettings, subject: str, taken: Taken
    ) -> None:
        owner, code, field, value, mark = item
        number, text = _split(value)
        shown = f"{code}-{field}={value}" if field else f"{code}={value}"
        if not code or (number is None and not text):
            zh, en = f"没有值：{shown}", f"no value: {shown}"
            taken.refusals.append(Refusal(subject, "no_value", zh, en, shown, ticks=ticks))
            return
        tag = self._tag(device, str(frame.cn), owner, code, field, is_number=number is not None)
        if tag is None:
            zh, en = "位号数已达上限 max_tags", "max_tags are in use already"
            taken.refusals.append(Refusal(subject, "too_many_tags", zh, en, shown, ticks=ticks))
            return
        status = 0 if field in _MARKS or mark is None else STATUS_OF_MARK.get(mark, UNCERTAIN)
        taken.points.append(SourcePoint(tag, ticks, number, text, status))

    def _tag(
        self, device: DeviceSettings, command: str, owner: str, code: str, field: str, *, is_number: bool
    ) -> str | None:
        period = PERIODS.get(Command(command), "") if command in _COMMANDS else ""
        path = [part for part in (self._system_id, device.mn, owner, code, period, field) if part]
        place = [part for part in (device.mn, command, owner) if part]
        address = f"hj212:{'/'.join(place)}/{code}" + (f"-{field}" if field else "")
        tail = ".".join(path[2:])
        return self._tags.tag_of(
            address,
            ".".join(path),
            label_zh=f"{device.label_zh} {tail}" if device.label_zh else None,
            label_en=f"{device.label_en} {tail}" if device.label_en else None,
            data_type=None if is_number else "String",
            area=device.area,
            equipment_id=device.equipment_id,
        )


_COMMANDS = frozenset(str(command) for command in Command)


def ticks_of(data_time: str) -> int | None:
    """The instant of a DataTime in ticks, None when it is none. Milliseconds, which some add, are kept."""
    if not data_time.isascii() or not data_time.isdigit() or len(data_time) not in (14, 17):
        return None
    try:
        at = datetime.strptime(data_time[:14], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
        return to_ticks(at + timedelta(milliseconds=int(data_time[14:] or 0)))
    except (ValueError, OverflowError):
        return None


def without_password(text: str) -> str:
    """A frame's text as it may be kept."""
    return _PASSWORD.sub("PW=***", text)


def _items(frame: Frame) -> Iterator[_Item]:
    owner = ""
    for group in frame.cp:
        marks = _marks(group)
        for name, value in group:
            if name == "PolId":
                owner = value
            if name in _CONTROL:
                continue
            code, _, field = name.partition("-")
            yield owner, code, field, value, marks.get(code)


def _marks(group: Group) -> dict[str, str]:
    found = ((*name.partition("-"), value) for name, value in group)
    return {code: value for code, _, field, value in found if field == "Flag"}


def _split(value: str) -> tuple[float | None, str | None]:
    """A value as number or text; text between // without them."""
    if _NUMBER.fullmatch(value):
        return float(value), None
    if len(value) >= 4 and value.startswith("//") and value.endswith("//"):
        value = value[2:-2]
    return None, value
