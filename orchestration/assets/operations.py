"""Assets about the platform itself: the state store's mirror and the catalogue of views."""

from typing import Any

import dagster as dg

from lake.table_macros import load_macros
from orchestration.assets.computations import COMPUTATIONS, computations_asset
from orchestration.assets.upkeep import upkeep_asset
from orchestration.descriptions import descriptions
from orchestration.labels import bilingual, team
from orchestration.location import TABLE_MACROS, Location
from orchestration.ops_mirror import MIRRORED, MirroredTable, mirror
from orchestration.services import state_store

CATALOG_KEY = dg.AssetKey(["catalog", "lake_duckdb"])
_OWNER = team("data_platform")


def operations_assets(location: Location) -> list[dg.AssetsDefinition]:
    """The mirrored tables, the register of computations, the lake's upkeep and the catalogue."""
    mirrored = [_mirrored(location, table) for table in MIRRORED]
    return [*mirrored, computations_asset(location), upkeep_asset(location), _catalog(location)]


def _mirrored(location: Location, table: MirroredTable) -> dg.AssetsDefinition:
    @dg.asset(
        key=["ops", table.name],
        group_name="ops",
        owners=[_OWNER],
        kinds={"sqlite", "deltalake"},
        description=bilingual(
            f"{table.label_zh}（状态库的镜像）", f"{table.label_en} (mirror of the state store)."
        ),
        pool=f"delta_{table.name}",
    )
    def mirrored() -> dg.MaterializeResult[Any]:
        settings = location.settings
        with state_store(settings) as state:
            report = mirror(state, settings.lake, table)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": report.rows, "delta_version": report.delta_version}
        )

    return mirrored


def _catalog(location: Location) -> dg.AssetsDefinition:
    @dg.asset(
        key=CATALOG_KEY,
        deps=[["ops", name] for name in (*(table.name for table in MIRRORED), COMPUTATIONS)],
        group_name="ops",
        owners=[_OWNER],
        kinds={"duckdb"},
        description=bilingual(
            "分析人员打开的 lake.duckdb：各表的视图，整体替换，只读。",
            "lake.duckdb for analysts: views of every table, replaced as a whole, opened read only.",
        ),
        pool="duckdb_catalog",
    )
    def catalog() -> dg.MaterializeResult[Any]:
        from lake.catalog import rebuild

        rebuild(location.settings.lake, descriptions(location), load_macros(TABLE_MACROS))
        path = location.settings.lake.catalog
        return dg.MaterializeResult(
            metadata={"path": dg.MetadataValue.path(path), "bytes": path.stat().st_size}
        )

    return catalog
