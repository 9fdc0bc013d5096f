"""What can go wrong in storage, as types, so that a caller knows whether trying again helps.

LakeError
├── LayoutError         a name or path that the layout does not allow
├── SchemaError         rows do not fit the declared Arrow schema
├── PartitionError      a replacement that would touch other rows than it names
├── VersionError        stored state is newer than this program knows
├── VersionGoneError    an older version of a table that retention removed
└── TransientLakeError  another writer was in the way: trying again helps
    ├── ConflictError   a concurrent Delta commit touched the same rows
    └── LeaseHeldError  another process holds the stream
"""

from __future__ import annotations


class LakeError(Exception):
    """Root of every storage error."""


class LayoutError(LakeError):
    """A layer, table or path name that the layout does not allow."""


class SchemaError(LakeError):
    """Rows do not fit the declared Arrow schema; `problems` has one sentence a column."""

    def __init__(self, what: str, problems: list[str]) -> None:
        self.what = what
        self.problems = problems
        super().__init__(
            f"{what}: {len(problems)} column(s) do not fit the declared schema: {'; '.join(problems)}. "
            "Correct the producer or the declared schema; nothing was written."
        )


class PartitionError(LakeError):
    """A partition replacement that would touch rows outside the partition it names."""


class VersionError(LakeError):
    """Stored state was written by a newer program than this one."""


class VersionGoneError(LakeError):
    """A version of a table cannot be read any more: retention removed its log or its files."""


class TransientLakeError(LakeError):
    """Another writer was in the way; the same call may succeed later."""


class ConflictError(TransientLakeError):
    """A concurrent Delta commit touched the rows this one read or replaces."""


class LeaseHeldError(TransientLakeError):
    """Another process holds the lease."""
