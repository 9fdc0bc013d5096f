"""Arrow schemas of what travels through the gateway: points, alarms, events, the tag table, gaps, quarantine.

A timestamp keeps the 100 ns of OPC UA in two columns: microseconds, and the digit below them. A kind that
gains columns gains a schema version: older segments are read with those columns empty, an older receiver
refuses newer segments whole.
"""

from __future__ import annotations

import pyarrow as pa

UTC_US = pa.timestamp("us", tz="UTC")

POINTS = pa.schema(
    [
        pa.field("tag_id", pa.string(), nullable=False),
        pa.field("source_at_utc", UTC_US, nullable=False),
        pa.field("source_at_100ns", pa.int8(), nullable=False),
        pa.field("value_number", pa.float64()),  # numbers and booleans (0, 1)
        pa.field("value_text", pa.string()),  # strings; structures as JSON
        pa.field("status_code", pa.int64(), nullable=False),  # all 32 bits, unsigned
        pa.field("server_at_utc", UTC_US),
        pa.field("server_at_100ns", pa.int8()),
        pa.field("arrived_at_utc", UTC_US, nullable=False),  # plant clock of the collector
    ]
)

# The alarms of schema version 1: what its segments hold is read for ever.
ALARMS_1 = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),  # hex of the OPC UA EventId
        pa.field("condition_id", pa.string()),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("source_name", pa.string(), nullable=False),
        pa.field("tag_id", pa.string()),
        pa.field("severity", pa.int32(), nullable=False),
        pa.field("message", pa.string()),
        pa.field("is_active", pa.bool_()),
        pa.field("is_acknowledged", pa.bool_()),
        pa.field("event_at_utc", UTC_US, nullable=False),
        pa.field("event_at_100ns", pa.int8(), nullable=False),
        pa.field("arrived_at_utc", UTC_US, nullable=False),
    ]
)

# OPC UA Part 9 states, none where the server has no such state.
ALARMS = pa.schema(
    [
        *ALARMS_1,
        pa.field("condition_name", pa.string()),
        pa.field("branch_id", pa.string()),  # none: the condition's present state
        pa.field("is_retained", pa.bool_()),  # whether it needs attention, so that a refresh tells it
        pa.field("is_enabled", pa.bool_()),
        pa.field("is_confirmed", pa.bool_()),
        pa.field("is_suppressed", pa.bool_()),  # by the plant's logic: suppressed by design of ISA-18.2
        pa.field("is_out_of_service", pa.bool_()),
        pa.field("is_latched", pa.bool_()),
        pa.field("is_suppressed_or_shelved", pa.bool_()),
        pa.field("shelving_state", pa.string()),  # one of SHELVING_STATES
        pa.field("limit_state", pa.string()),  # of LIMIT_STATES, the outermost first, joined by +
        pa.field("active_state", pa.string()),  # as the server shows it to operators
        pa.field("active_changed_at_utc", UTC_US),  # when it became, or ceased to be, active
        pa.field("quality_code", pa.int64()),  # all 32 bits, unsigned
        pa.field("comment", pa.string()),
        pa.field("client_user_id", pa.string()),  # who gave the comment, acknowledged, shelved
        pa.field("told_by", pa.string()),  # one of TOLD_BY
    ]
)
SHELVING_STATES = ("Unshelved", "TimedShelved", "OneShotShelved")
LIMIT_STATES = ("HighHigh", "High", "LowLow", "Low")
# How the collector knows: by absence is a condition that a refresh no longer told, so that it ended before.
TOLD_BY = ("notification", "history", "refresh", "absence")

TAGS = pa.schema(
    [
        pa.field("tag_id", pa.string(), nullable=False),
        pa.field("node_id", pa.string(), nullable=False),
        pa.field("label_zh", pa.string(), nullable=False),
        pa.field("label_en", pa.string(), nullable=False),
        pa.field("unit", pa.string()),  # what the plant's tag table says
        pa.field("unit_on_server", pa.string()),  # what the server's EngineeringUnits say
        pa.field("range_low", pa.float64()),
        pa.field("range_high", pa.float64()),
        pa.field("data_type", pa.string(), nullable=False),
        pa.field("sampling_ms", pa.int32(), nullable=False),
        pa.field("area", pa.string(), nullable=False),
        pa.field("equipment_id", pa.string()),
        pa.field("has_history", pa.bool_(), nullable=False),
        pa.field("observed_at_utc", UTC_US, nullable=False),
    ]
)

# What the collector knows to be missing, and what it noticed of the clocks. A gap whose points came after all
# is told once more with `is_open` false: the last row of a tag, start and reason holds.
GAPS = pa.schema(
    [
        pa.field("tag_id", pa.string()),  # none: the whole system
        pa.field("from_at_utc", UTC_US, nullable=False),  # the last instant known before it
        pa.field("until_at_utc", UTC_US, nullable=False),  # the first instant known after it
        pa.field("reason", pa.string(), nullable=False),
        pa.field("is_open", pa.bool_(), nullable=False),  # whether points are missing in between
        pa.field("detail", pa.string()),
        pa.field("observed_at_utc", UTC_US, nullable=False),  # plant clock of the collector
    ]
)
# Why points are missing, or what else was noticed.
GAP_REASONS = (
    "not_watched",  # the tag was not monitored and has no history
    "notifications_lost",  # the server sent them and could not send them again; the tag has no history
    "queue_overflow",  # the server's queue was full; the tag has no history
    "history_failed",  # the tag's history cannot be read
    "disk_full",  # reading stood still
    "segments_dropped",  # sealed segments were deleted to make room
    "sequence_gap",  # an edge node's numbers jumped: it has sent what did not arrive
    "session_lost",  # the broker no longer knew our session: what it kept for us is gone
    "session_began",  # a note: connected to the server that `detail` names
    "collector_took_over",  # a note: the other collector of the pair goes on; until then nobody collected
    "session_ended",  # a note: `detail` says of which server, and why
    "certificate_ends",  # a note: `detail` says which certificate must be renewed, and by when
    "server_clock_jump",  # a note: nothing need be missing
    "collector_clock_jump",  # a note: nothing need be missing
)

# What happened at one instant and is no measurement: a camera's detection, a step of a batch.
EVENTS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),  # the sender's own, else a hash of what it sent
        pa.field("source_name", pa.string(), nullable=False),  # the camera, the work centre
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("event_at_utc", UTC_US, nullable=False),  # the sender's time
        pa.field("event_at_100ns", pa.int8(), nullable=False),
        pa.field("message", pa.string()),
        pa.field("link", pa.string()),  # where the picture or record stays; never the picture itself
        pa.field("attributes", pa.string()),  # what else the mapping keeps, as JSON
        pa.field("subject", pa.string(), nullable=False),  # the topic it came on
        pa.field("arrived_at_utc", UTC_US, nullable=False),
    ]
)

# What a sender sent and the collector could not take as it was, kept in sight with its reason.
QUARANTINE = pa.schema(
    [
        pa.field("subject", pa.string(), nullable=False),  # the topic, or the instrument's MN and command
        pa.field("tag_id", pa.string()),
        pa.field("source_at_utc", UTC_US),
        pa.field("reason_code", pa.string(), nullable=False),
        pa.field("reason_zh", pa.string(), nullable=False),
        pa.field("reason_en", pa.string(), nullable=False),
        pa.field("content", pa.string()),  # the beginning of what was sent
        pa.field("observed_at_utc", UTC_US, nullable=False),  # plant clock of the collector
    ]
)

SCHEMAS = {
    "points": POINTS,
    "alarms": ALARMS,
    "tags": TAGS,
    "gaps": GAPS,
    "events": EVENTS,
    "quarantine": QUARANTINE,
}

# What a kind's columns were before, oldest first. Columns are only ever added, and may be none.
EARLIER_SCHEMAS = {"alarms": (ALARMS_1,)}


def schema_version(kind: str) -> int:
    """The version that segments of a kind are written in."""
    return len(EARLIER_SCHEMAS.get(kind, ())) + 1


def schema_of(kind: str, version: int) -> pa.Schema:
    """The columns of a kind in a version up to the present one."""
    return (*EARLIER_SCHEMAS.get(kind, ()), SCHEMAS[kind])[version - 1]
