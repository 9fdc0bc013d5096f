"""Sensors: what landing and the dispatcher did, told to Dagster between ticks."""

import dagster as dg

from orchestration.abandoned import end_abandoned
from orchestration.delivered import delivered_events
from orchestration.landed import landed_events
from orchestration.location import Location
from orchestration.services import state_store

INTERVAL_S = 30


def state_sensors(location: Location) -> list[dg.SensorDefinition]:
    """One sensor on landed streams, one on stream reports delivered."""

    @dg.sensor(
        name="landed_streams",
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="入湖进度 · How far landing has come, from the state store.",
    )
    def landed_streams(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        end_abandoned(context.instance)  # a killed tick would keep the next one waiting
        with state_store(location.settings) as state:
            return dg.SensorResult(asset_events=list(landed_events(location, context.instance, state)))

    @dg.sensor(
        name="delivered_stream_reports",
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="实时上报进度 · How delivery of real-time reports stands, from the ledger.",
    )
    def delivered_stream_reports(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        with state_store(location.settings) as state:
            return dg.SensorResult(asset_events=list(delivered_events(location, context.instance, state)))

    return [landed_streams, delivered_stream_reports]
