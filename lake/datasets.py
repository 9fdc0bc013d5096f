"""A Delta table as an Arrow dataset over Arrow's own file system.

With the file system of delta-rs, whose threads outlive the read, processes now and then aborted at exit.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow.dataset as ds
from deltalake import DeltaTable
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem


def dataset_of(delta: DeltaTable, *, only: str | None = None) -> ds.Dataset:
    """The table's files as one dataset.

    Args:
        delta: the table, at the version to be read.
        only: a predicate on partitions; files outside are left out.
    """
    folder = url2pathname(urlsplit(delta.table_uri).path)
    files = SubTreeFileSystem(folder, LocalFileSystem())
    return delta.to_pyarrow_dataset(filesystem=files, file_pruning_predicate=only)
