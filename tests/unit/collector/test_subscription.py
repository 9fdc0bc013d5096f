"""What is asked of a server for each tag: its own sampling, queue, deadband and trigger."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua

from ingestion.collector.monitored_items import EVENTS_HANDLE, event_item, value_item
from ingestion.collector.tag_table import Deadband, Tag
from protocols.clock import SystemClock

NODE = ua.NodeId("A", 2)


def tag(**changes: Any) -> Tag:
    known: dict[str, Any] = {
        "tag_id": "A", "node_id": "nsu=urn:x;s=A", "label_zh": "甲", "label_en": "A", "unit": None,
        "range_low": None, "range_high": None, "data_type": "double", "sampling_ms": 250, "queue_size": 40,
        "area": "area", "equipment_id": None, "has_history": True,
    }  # fmt: skip
    return Tag(**{**known, **changes})


def test_every_instant_of_a_tag_is_asked_for_with_its_own_sampling_and_queue() -> None:
    item = value_item(7, NODE, tag(), SystemClock())
    asked = item.RequestedParameters
    assert (asked.ClientHandle, asked.SamplingInterval, asked.QueueSize) == (7, 250.0, 40)
    assert asked.Filter.Trigger == ua.DataChangeTrigger.StatusValueTimestamp
    assert asked.Filter.DeadbandType == ua.DeadbandType.None_


@pytest.mark.parametrize(
    ("deadband", "kind"),
    [(Deadband(0.5, False), ua.DeadbandType.Absolute), (Deadband(2.0, True), ua.DeadbandType.Percent)],
)
def test_a_deadband_is_the_servers_to_apply(deadband: Deadband, kind: ua.DeadbandType) -> None:
    asked = value_item(0, NODE, tag(deadband=deadband), SystemClock()).RequestedParameters.Filter
    assert (asked.DeadbandType, asked.DeadbandValue) == (kind, deadband.value)
    assert asked.Trigger == ua.DataChangeTrigger.StatusValue


def test_a_server_that_refuses_the_filter_is_asked_without() -> None:
    assert value_item(0, NODE, tag(), SystemClock(), has_filter=False).RequestedParameters.Filter is None


def test_events_have_a_handle_that_no_tag_has() -> None:
    item = event_item(ua.EventFilter())
    assert item.RequestedParameters.ClientHandle == EVENTS_HANDLE
    assert item.ItemToMonitor.AttributeId == ua.AttributeIds.EventNotifier
