"""What an analyst reads in `lake.duckdb`: words of contracts and of dbt models, as comments on views."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.model import Contract
from lake.catalog import Description
from orchestration.location import Location
from orchestration.ops_mirror import MIRRORED


def descriptions(location: Location) -> dict[str, Description]:
    """By table name: raw tables from their contracts, models from the manifest, mirrors from their labels."""
    found = {table.name: Description(f"{table.label_zh} / {table.label_en}") for table in MIRRORED}
    found |= dict(_of_models(location))
    found |= {
        contract.name: _of_contract(contract) for system in location.systems for contract in system.tables
    }
    return found


def _of_models(location: Location) -> Iterator[tuple[str, Description]]:
    for node in location.manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed"):
            columns = {name: column["description"] for name, column in node["columns"].items()}
            yield node["name"], Description(node["description"], columns)


def _of_contract(contract: Contract) -> Description:
    columns = {column.name: f"{column.label_zh} / {column.label_en}" for column in contract.columns}
    return Description(f"{contract.label_zh} / {contract.label_en}", columns)
