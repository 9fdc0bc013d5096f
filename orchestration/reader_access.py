"""The catalogues of the readers, made from the roles and from what every column is."""

from __future__ import annotations

from pathlib import Path

from contracts.access import Treatment, load_roles
from lake.reader_catalog import columns_of, rebuild_reader
from lake.table_macros import load_macros
from orchestration.column_lineage import ColumnLineage
from orchestration.data_classes import TableClasses, classes_of, treatments
from orchestration.location import TABLE_MACROS, Location


def classes_at(location: Location) -> TableClasses:
    """The classes of every column of this site's lake, as far as dbt has compiled its models."""
    target = location.settings.var / "dbt"
    compiled = (target / "manifest.json").is_file()
    lineage = ColumnLineage(target).of_columns() if compiled else {}
    return classes_of(location.contracts.values(), location.manifest, lineage)


def policies(location: Location) -> dict[str, dict[str, dict[str, Treatment]]]:
    """By role and table, what becomes of every column that exists now."""
    classes, columns = classes_at(location), columns_of(location.settings.lake)
    return {
        role.role_id: treatments(classes, role, columns) for role in load_roles(location.settings.site_dir)
    }


def rebuild_readers(location: Location) -> list[Path]:
    """Make the catalogue of every role anew."""
    lake, macros = location.settings.lake, load_macros(TABLE_MACROS)
    return [rebuild_reader(lake, role_id, policy, macros) for role_id, policy in policies(location).items()]
