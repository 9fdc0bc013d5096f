"""Carries stored state forward: the state store's schema (alembic) and the lake's layout version.

One numbered revision a change, in `versions/`; a revision is never edited once released.
"""

from lake.migrations.run import MigrationReport, migrate

__all__ = ["MigrationReport", "migrate"]
