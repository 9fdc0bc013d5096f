"""Sparkplug B payloads: bytes to values, and the one command the collector may send.

Pure. Written from the specification's schema; not supported: extensions, and the payload's body of its own.
"""

from protocols.sparkplug.payload import REBIRTH, Metric, Payload, decode_payload, encode_rebirth
from protocols.sparkplug.values import DataType
from protocols.sparkplug.wire import SparkplugError

__all__ = [
    "REBIRTH",
    "DataType",
    "Metric",
    "Payload",
    "SparkplugError",
    "decode_payload",
    "encode_rebirth",
]
