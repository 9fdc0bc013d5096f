"""The dbt project as assets: build what is touched, publish it to the lake, then tell Dagster.

Events are told after publication, because the lake and not dbt's private database is the record. What was
built before a failure is published all the same; the failure itself is raised at the end.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, DbtCliResource, dbt_assets

from orchestration.column_lineage import ColumnLineage
from orchestration.dbt_translator import ChemLinkTranslator
from orchestration.failures import told_to_dagster
from orchestration.location import Location
from orchestration.partitions import plant_days
from orchestration.publishing import Published, publish_models

SEARCH_TAG = "chemlink/touched"
"""With this tag each model searches its own touched days; without, a run rebuilds the days asked for."""


def model_assets(location: Location) -> dg.AssetsDefinition:
    """Every seed and model of the dbt project, one run of dbt for as many as are asked for."""

    @dbt_assets(
        manifest=location.manifest,
        name="dbt_models",
        dagster_dbt_translator=ChemLinkTranslator(plant_days(location.settings)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="duckdb",
    )
    def models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
        target = location.settings.var / "dbt"  # kept, so that dbt parses only what changed
        invocation = dbt.cli(
            _arguments(location, context),
            context=context,
            raise_on_error=False,
            target_path=target,
        )
        events = list(invocation.stream())
        built = {key for event in events if (key := _key_of(event, context)) is not None}
        with told_to_dagster():
            published = publish_models(location, built)
        lineage = ColumnLineage(target).of_models()
        yield from (_with_metadata(event, context, published, lineage) for event in events)
        _raise_on_failure(invocation)

    return models


def _arguments(location: Location, context: dg.AssetExecutionContext) -> list[str]:
    variables: dict[str, Any] = {"plant_zone": location.settings.site.zone}
    has_days = context.has_partition_key or context.has_partition_key_range
    if has_days and SEARCH_TAG not in context.run.tags:
        variables["touched_dates"] = list(context.partition_keys)
    # Unit tests prove the SQL, not the data: they belong to the project's own tests.
    return ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(variables)]


def _key_of(event: Any, context: dg.AssetExecutionContext) -> dg.AssetKey | None:
    if isinstance(event, dg.Output):
        key: dg.AssetKey = context.asset_key_for_output(event.output_name)
        return key
    return None


def _with_metadata(
    event: Any,
    context: dg.AssetExecutionContext,
    published: Mapping[dg.AssetKey, Published],
    lineage: Mapping[dg.AssetKey, dg.TableColumnLineage],
) -> Any:
    """The event of a model with what was published of it and where its columns come from."""
    key = _key_of(event, context)
    if key is None:
        return event
    added: dict[str, Any] = published[key].metadata() if key in published else {}
    if key in lineage:
        added["dagster/column_lineage"] = lineage[key]
    return event.with_metadata({**event.metadata, **added})


def _raise_on_failure(invocation: DbtCliInvocation) -> None:
    if not invocation.is_successful():
        msg = f"dbt build failed; what it had built is published. {invocation.get_error()}"
        raise dg.Failure(msg, allow_retries=False)
