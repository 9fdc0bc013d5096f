"""The phases of a tick: which assets are due in each, and the Dagster runs that make them.

Order matters: what came in, then models, then gates, then reports, then the mirror of it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import dagster as dg

from contracts.model import ExtractMode
from ingestion.landing_rows import create_stream_tables
from ingestion.registry import discover_systems
from lake import tables
from lake.state import StateStore
from orchestration import jobs
from orchestration.abandoned import end_abandoned, process_tag
from orchestration.assembly import build_definitions
from orchestration.assets.extracts import EXTRACTED_AT
from orchestration.assets.models import SEARCH_TAG
from orchestration.assets.streams import raw_key
from orchestration.assets.upkeep import KEPT_UP_ON, UPKEEP_KEY
from orchestration.checks.contracts import SCHEMA_CHECK
from orchestration.dagster_home import write_dagster_home
from orchestration.delivered import delivered_events
from orchestration.findings import refresh_findings
from orchestration.landed import landed_events, told
from orchestration.location import Location, load_location
from orchestration.partitions import plant_today, range_tags
from orchestration.services import state_store
from orchestration.settings import Settings
from orchestration.tick import PhaseReport
from orchestration.touched import BEGAN_TAG, first_touched_day
from orchestration.window import first_open_day

# The event log has every message; the terminal is told the outcome by whoever called for the tick.
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Workshop:
    """What the phases of one tick share."""

    location: Location
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    state: StateStore
    findings: dict[str, int] = field(default_factory=dict)
    unusable: set[dg.AssetKey] = field(default_factory=set)  # raw tables whose blocking check failed

    @property
    def settings(self) -> Settings:
        """The site's settings."""
        return self.location.settings

    @cached_property
    def graph(self) -> Any:
        """The asset graph, for what lies behind an unusable table."""
        return self.definitions.resolve_asset_graph()


@dataclass(frozen=True)
class Phase:
    """One phase: its name and what it does."""

    name: str
    label_zh: str
    label_en: str
    run: Callable[[Workshop], PhaseReport]


@contextmanager
def open_workshop(settings: Settings) -> Iterator[Workshop]:
    """Definitions, the site's Dagster instance and its state store, for one tick."""
    write_dagster_home(settings)
    location = load_location(settings)
    with dg.DagsterInstance.get() as instance, state_store(settings) as state:
        end_abandoned(instance)
        yield Workshop(location, build_definitions(location), instance, state)


def tell_landed(workshop: Workshop) -> PhaseReport:
    """Tell Dagster what landed and what the dispatcher delivered since the last tick."""
    report = PhaseReport("landed")
    events = [
        *landed_events(workshop.location, workshop.instance, workshop.state),
        *delivered_events(workshop.location, workshop.instance, workshop.state),
    ]
    for event in events:
        workshop.instance.report_runless_asset_event(event)
    report.materialized = len(events)
    return report


def extract(workshop: Workshop) -> PhaseReport:
    """Extract each business table whose cadence has passed, and check what came in."""
    report = PhaseReport(jobs.EXTRACT)
    due = due_extracts(workshop)
    if due:
        execute(workshop, report, jobs.EXTRACT, assets=due)
    if workshop.location.stream_systems:
        execute(workshop, report, jobs.STREAM_CHECKS)
    return report


def build_models(workshop: Workshop) -> PhaseReport:
    """Build and publish every model that does not stand on an unusable table."""
    report = PhaseReport(jobs.MODELS)
    settings = workshop.settings
    create_stream_tables(settings.lake, streams_of_the_product())
    keys = model_keys(workshop)
    first = first_touched_day(workshop.location, workshop.instance, jobs.MODELS)
    began = settings.clock.now().isoformat()
    tags = {**range_tags(first, plant_today(settings)), SEARCH_TAG: "search", BEGAN_TAG: began}
    if keys:
        execute(workshop, report, jobs.MODELS, assets=keys, tags=tags)
    return report


def ask_gates(workshop: Workshop) -> PhaseReport:
    """Ask every gate, so that the UI shows the verdict the outbox will follow."""
    report = PhaseReport(jobs.GATES)
    execute(workshop, report, jobs.GATES)
    return report


def queue_reports(workshop: Workshop) -> PhaseReport:
    """Queue every scheduled report that is due."""
    report = PhaseReport(jobs.EXPORTS)
    settings = workshop.settings
    tags = range_tags(first_open_day(settings), plant_today(settings))
    execute(workshop, report, jobs.EXPORTS, tags=tags)
    return report


def look_after(workshop: Workshop) -> PhaseReport:
    """Refresh findings, mirror the state store, rebuild the catalogue."""
    report = PhaseReport(jobs.OPERATIONS)
    workshop.findings = refresh_findings(workshop.location, workshop.state)
    execute(workshop, report, jobs.OPERATIONS)
    return report


def keep_up(workshop: Workshop) -> PhaseReport:
    """Once a plant day: compact, checkpoint and vacuum the lake."""
    report = PhaseReport(jobs.UPKEEP)
    today = plant_today(workshop.settings).isoformat()
    if told(workshop.instance, UPKEEP_KEY, KEPT_UP_ON) != today:
        execute(workshop, report, jobs.UPKEEP)
    return report


PHASES: Sequence[Phase] = (
    Phase("landed", "登记入湖进度", "noting what landed", tell_landed),
    Phase("extract", "抽取与合同检查", "extracting and checking", extract),
    Phase("models", "计算与发布", "building and publishing", build_models),
    Phase("gates", "质量关卡", "asking the gates", ask_gates),
    Phase("exports", "到期报告入队", "queueing reports", queue_reports),
    Phase("operations", "镜像与目录", "mirroring and cataloguing", look_after),
    Phase("upkeep", "湖的日常维护", "keeping up the lake", keep_up),
)


def due_extracts(workshop: Workshop) -> list[dg.AssetKey]:
    """Raw tables never extracted, or last extracted a cadence ago on the plant's clock."""
    now = workshop.settings.clock.now()
    due = []
    for system in workshop.location.extracted_systems:
        for contract in system.tables:
            last = told(workshop.instance, raw_key(contract), EXTRACTED_AT)
            if last is None or now - datetime.fromisoformat(last) >= timedelta(seconds=contract.cadence_s):
                due.append(raw_key(contract))
    return due


def model_keys(workshop: Workshop) -> list[dg.AssetKey]:
    """Every dbt asset but those behind a raw table that is not there yet or breaks its contract."""
    models = workshop.definitions.resolve_job_def(jobs.MODELS).asset_layer.selected_asset_keys
    behind: set[dg.AssetKey] = set()
    unusable = workshop.unusable | absent_sources(workshop.location)
    frontier = {key for key in unusable if workshop.graph.has(key)}  # no model reads the others here
    while frontier:
        children = {child for key in frontier for child in workshop.graph.get(key).child_keys}
        frontier = children - behind
        behind |= frontier
    return sorted(models - behind)


def streams_of_the_product() -> list[tuple[str, str]]:
    """Every stream that models may look at, by system and kind, whether this site has it or not."""
    return [
        (system.system_id, contract.table)
        for system in discover_systems()
        for contract in system.tables
        if contract.mode is ExtractMode.STREAM
    ]


def absent_sources(location: Location) -> set[dg.AssetKey]:
    """Raw tables that dbt reads and nothing has landed in yet; a site need not have every system."""
    lake = location.settings.lake
    keys = [
        source["config"]["meta"]["dagster"]["asset_key"] for source in location.manifest["sources"].values()
    ]
    return {dg.AssetKey(key) for key in keys if not tables.exists(lake.table(*key))}


def execute(
    workshop: Workshop,
    report: PhaseReport,
    job: str,
    *,
    assets: Sequence[dg.AssetKey] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    """Run a job in this process and add what it did to the report; a failed step is told, not raised."""
    definition = workshop.definitions.resolve_job_def(job)
    with _spoken_to_log(workshop.settings):
        result = definition.execute_in_process(
            instance=workshop.instance,
            raise_on_error=False,
            asset_selection=assets,
            tags={**(tags or {}), **process_tag()},
            run_config=_SILENT,
        )
    report.run_ids.append(result.run_id)
    report.materialized += len({event.asset_key for event in result.get_asset_materialization_events()})
    for evaluation in result.get_asset_check_evaluations():
        if evaluation.passed:
            report.checks_passed += 1
            continue
        report.checks_failed.append(f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}")
        if evaluation.check_name == SCHEMA_CHECK:
            workshop.unusable.add(evaluation.asset_key)
    for event in result.get_step_failure_events():
        report.failures.append(f"{event.step_key}: {_reason(event)}")


@contextmanager
def _spoken_to_log(settings: Settings) -> Iterator[None]:
    """What dbt prints goes to a log file: the terminal belongs to whoever called for the tick."""
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    with (settings.log_dir / "tick.log").open("a", encoding="utf-8") as log, redirect_stdout(log):
        yield


def _reason(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    cause = data.error.cause if data.error and data.error.cause else data.error
    return cause.message.strip() if cause else "no reason given"
