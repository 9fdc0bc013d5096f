"""What of ours becomes a failure in Dagster: the type of the error says whether trying again helps.

The one place of that mapping. The error itself stays the cause, so that nothing is lost from the log.
Nothing is tried again within a run: the next tick does, and a source that is down holds up no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from exports.errors import ExportError
from exports.errors import TransientError as TransientExportError
from ingestion.errors import IngestionError
from ingestion.errors import TransientError as TransientIngestionError
from lake.errors import LakeError, TransientLakeError

_TRANSIENT = (TransientIngestionError, TransientExportError, TransientLakeError)


@contextmanager
def told_to_dagster() -> Iterator[None]:
    """Raise our errors as Dagster failures with their message; a permanent one is not tried again."""
    try:
        yield
    except (IngestionError, ExportError, LakeError) as error:
        raise dg.Failure(description=str(error), allow_retries=isinstance(error, _TRANSIENT)) from error
