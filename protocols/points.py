"""Arrow schemas of what travels through the gateway: points, alarms and the collector's tag table.

A timestamp keeps the 100 ns of OPC UA in two columns: microseconds, and the digit below them.
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

ALARMS = pa.schema(
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

SCHEMAS = {"points": POINTS, "alarms": ALARMS, "tags": TAGS}
