"""Which tags alarm, at which limits, and what operators do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AlarmRule:
    """When a tag alarms. Limits that are None do not exist; severities are OPC UA's 1 to 1000."""

    tag_id: str
    event_type: str
    low_low: float | None = None
    low: float | None = None
    high: float | None = None
    high_high: float | None = None
    severity: int = 500
    severity_outer: int = 800
    calm_samples: int = 6
    is_confirmed_too: bool = False  # whether an operator says that it was dealt with
    is_shelved: bool = False  # whether an operator shelves it for a time


def _gas_detector(tag_id: str, high: float, high_high: float) -> AlarmRule:
    return AlarmRule(
        tag_id,
        "ExclusiveLimitAlarmType",
        high=high,
        high_high=high_high,
        severity=700,
        severity_outer=950,
        is_confirmed_too=True,
    )


RULES = (
    AlarmRule("T101.LEVEL", "ExclusiveLevelAlarmType", 15.0, 25.0, 75.0, 85.0, is_confirmed_too=True),
    AlarmRule("T102.LEVEL", "ExclusiveLevelAlarmType", 10.0, 20.0, 80.0, 85.0, is_confirmed_too=True),
    AlarmRule("CL201.WEIGHT", "ExclusiveLimitAlarmType", low=60.0, severity=300),
    AlarmRule("CL202.WEIGHT", "ExclusiveLimitAlarmType", low=60.0, severity=300),
    AlarmRule("R301.TEMP", "ExclusiveLimitAlarmType", high=130.0, high_high=140.0, severity_outer=900),
    _gas_detector("GD101.NH3", 25.0, 50.0),
    _gas_detector("GD102.CH3OH", 25.0, 50.0),
    _gas_detector("GD103.CL2", 1.0, 3.0),
    AlarmRule(
        "DA001.NOX", "ExclusiveLimitAlarmType", high=120.0, high_high=150.0, severity=500, severity_outer=700
    ),
    AlarmRule("DA001.STATE", "OffNormalAlarmType", high=0.5, severity=400, calm_samples=1, is_shelved=True),
    AlarmRule("DA002.STATE", "OffNormalAlarmType", high=0.5, severity=400, calm_samples=1, is_shelved=True),
    AlarmRule("DW001.STATE", "OffNormalAlarmType", high=0.5, severity=400, calm_samples=1, is_shelved=True),
)
