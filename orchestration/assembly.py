"""From a code location to its definitions: every factory once, defaults mapped over all."""

from __future__ import annotations

import dagster as dg

from orchestration.assets.absent import absent_assets
from orchestration.assets.exports import export_assets
from orchestration.assets.extracts import extract_assets
from orchestration.assets.models import model_assets
from orchestration.assets.operations import operations_assets
from orchestration.assets.streams import stream_assets
from orchestration.checks.agreement import agreement_checks
from orchestration.checks.contracts import contract_checks
from orchestration.checks.delivery import delivery_checks
from orchestration.checks.gates import gate_checks
from orchestration.checks.links import link_checks
from orchestration.dbt_resource import dbt_resource
from orchestration.jobs import phase_jobs
from orchestration.location import Location
from orchestration.schedules import tick_schedules
from orchestration.sensors import state_sensors
from orchestration.tick_job import tick_job


def build_definitions(location: Location) -> dg.Definitions:
    """The asset graph of one site, from device to receipt."""
    models = model_assets(location)
    gates = gate_checks(location)
    afterwards = [*delivery_checks(location), *agreement_checks(location), *link_checks(location)]
    tick = tick_job(location.settings)
    return dg.Definitions(
        assets=[
            *stream_assets(location),
            *absent_assets(location),
            *extract_assets(location),
            models,
            *operations_assets(location),
            *export_assets(location),
        ],
        asset_checks=[*contract_checks(location), *gates, *afterwards],
        jobs=[*phase_jobs(location, models=models, gates=gates, afterwards=afterwards), tick],
        schedules=tick_schedules(location, tick),
        sensors=state_sensors(location),
        resources={"dbt": dbt_resource()},
        executor=dg.in_process_executor,
    )
