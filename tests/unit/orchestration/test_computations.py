"""The register of computations as it reaches the lake."""

from __future__ import annotations

import json

from orchestration.assets.computations import SCHEMA, computation_rows
from transforms import registered


def test_every_registered_computation_is_a_row_with_units_rule_and_metrics() -> None:
    rows = computation_rows().to_pylist()
    assert [row["computation_id"] for row in rows] == [entry.computation_id for entry in registered()]
    for row in rows:
        assert row["version"] >= 1
        assert row["clause"]
        assert row["source_rule"]
        assert all(json.loads(row[name]) for name in ("inputs_json", "outputs_json", "metrics_json"))


def test_the_table_keeps_its_declared_schema() -> None:
    assert computation_rows().schema == SCHEMA
