"""The register of computations as a table of the lake (clause 7.1.3): rule, units and metrics of each."""

import json
from typing import Any

import dagster as dg
import pyarrow as pa

from orchestration.labels import bilingual, team
from orchestration.location import Location

COMPUTATIONS = "ops_computations"
SCHEMA = pa.schema(
    [
        pa.field("computation_id", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
        pa.field("clause", pa.string(), nullable=False),
        pa.field("label_zh", pa.string(), nullable=False),
        pa.field("label_en", pa.string(), nullable=False),
        pa.field("inputs_json", pa.string(), nullable=False),  # unit by parameter
        pa.field("outputs_json", pa.string(), nullable=False),  # unit by result
        pa.field("source_rule", pa.string(), nullable=False),
        pa.field("metrics_json", pa.string(), nullable=False),  # bound by measure
        pa.field("function_name", pa.string(), nullable=False),
    ]
)


def computation_rows() -> pa.Table:
    """One row per registered computation, sorted by id."""
    from transforms import registered

    rows = [
        {
            "computation_id": entry.computation_id,
            "version": entry.version,
            "clause": entry.clause,
            "label_zh": entry.label_zh,
            "label_en": entry.label_en,
            "inputs_json": json.dumps(entry.inputs, ensure_ascii=False),
            "outputs_json": json.dumps(entry.outputs, ensure_ascii=False),
            "source_rule": entry.source,
            "metrics_json": json.dumps(entry.metrics, ensure_ascii=False),
            "function_name": f"{entry.function.__module__}.{entry.function.__qualname__}",
        }
        for entry in registered()
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def computations_asset(location: Location) -> dg.AssetsDefinition:
    """The register, written when it changed."""

    @dg.asset(
        key=["ops", COMPUTATIONS],
        group_name="operations",
        owners=[team("data_platform")],
        kinds={"python", "deltalake"},
        description=bilingual(
            "算法登记表：每个算法的版本、条款、输入输出单位、依据和评价指标（7.1.3）。",
            "Register of computations: version, clause, units in and out, rule and metrics of each (7.1.3).",
        ),
        pool=f"delta_{COMPUTATIONS}",
    )
    def computations() -> dg.MaterializeResult[Any]:
        from lake import tables
        from lake.encodings import MIRROR

        path = location.settings.lake.table("ops", COMPUTATIONS)
        report = tables.overwrite_if_changed(path, computation_rows(), SCHEMA, storage=MIRROR)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": report.rows, "delta_version": report.delta_version}
        )

    return computations
