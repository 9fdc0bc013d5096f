"""How a dbt resource becomes an asset: key [layer, table], group by folder, owner, kinds, both languages.

One small method a question. Facts come from the resource's own properties; nothing parses a name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from orchestration.labels import bilingual, team

PARTITION_COLUMN = "plant_date"
_REFERENCE_ZH = "参考表：由 transforms/reference 中的同名 CSV 载入，计算与模型共用一份。"
_REFERENCE_EN = (
    "Reference table, loaded from the CSV of that name in transforms/reference; shared with computations."
)

Properties = Mapping[str, Any]


class ChemLinkTranslator(DagsterDbtTranslator):
    """The translator of our one dbt project."""

    def __init__(self, days: dg.PartitionsDefinition[str]) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=False))
        self._days = days

    def get_asset_key(self, dbt_resource_props: Properties) -> dg.AssetKey:
        """`[layer, table]`; a source says its own, because landing or an extract made it."""
        declared = _meta(dbt_resource_props).get("dagster", {}).get("asset_key")
        return dg.AssetKey(declared or [layer_of(dbt_resource_props), dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Properties) -> str | None:
        """The system of a source, the folders of a model."""
        declared = _meta(dbt_resource_props).get("dagster", {}).get("group")
        return declared or "_".join(_folders(dbt_resource_props)) or layer_of(dbt_resource_props)

    def get_description(self, dbt_resource_props: Properties) -> str:
        """Chinese from `meta.label_zh`, English from dbt's description."""
        if dbt_resource_props["resource_type"] == "seed" and not dbt_resource_props.get("description"):
            return bilingual(_REFERENCE_ZH, _REFERENCE_EN)
        zh = _meta(dbt_resource_props).get("label_zh") or ""
        return bilingual(zh, dbt_resource_props.get("description") or "")

    def get_owners(self, dbt_resource_props: Properties) -> Sequence[str] | None:
        """`meta.owner`, which `dbt_project.yml` sets for each folder."""
        return [team(_meta(dbt_resource_props).get("owner") or "data_platform")]

    def get_tags(self, dbt_resource_props: Properties) -> Mapping[str, str]:
        """Dbt's tags, and the layer to filter by."""
        return {**super().get_tags(dbt_resource_props), "chemlink/layer": layer_of(dbt_resource_props)}

    def get_metadata(self, dbt_resource_props: Properties) -> Mapping[str, Any]:
        """Columns with type, description and Chinese label."""
        columns = [
            dg.TableColumn(name, column.get("data_type") or "", _column_text(column))
            for name, column in dbt_resource_props.get("columns", {}).items()
        ]
        return {"dagster/column_schema": dg.TableSchema(columns)} if columns else {}

    def get_partitions_def(self, dbt_resource_props: Properties) -> dg.PartitionsDefinition[str] | None:
        """Plant days for tables that are rebuilt by the day; everything else is whole each time."""
        is_daily = is_published(dbt_resource_props) and PARTITION_COLUMN in dbt_resource_props.get(
            "columns", {}
        )
        return self._days if is_daily else None

    def get_automation_condition(self, dbt_resource_props: Properties) -> dg.AutomationCondition[Any] | None:
        """None: ticks decide what runs, so that one run handles everything that is due."""
        return None


def layer_of(properties: Properties) -> str:
    """The dbt schema of a resource, which is its layer."""
    return str(properties.get("schema") or properties["resource_type"])


def is_published(properties: Properties) -> bool:
    """Whether the table is a record of the lake, and not a step towards one."""
    is_model = properties["resource_type"] == "model"
    return (
        is_model
        and layer_of(properties) in {"marts", "regulatory", "ops"}
        and properties["config"]["materialized"] != "view"
    )


def _folders(properties: Properties) -> list[str]:
    return [str(part) for part in properties.get("fqn", [])[1:-1]]


def _meta(properties: Properties) -> Mapping[str, Any]:
    return {**(properties.get("meta") or {}), **(properties.get("config", {}).get("meta") or {})}


def _column_text(column: Mapping[str, Any]) -> str:
    label = {**(column.get("meta") or {}), **(column.get("config", {}).get("meta") or {})}.get("label_zh")
    return " / ".join(text for text in (label, column.get("description")) if text)
