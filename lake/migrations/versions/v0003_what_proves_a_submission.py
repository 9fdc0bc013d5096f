"""The second hash of a submission's content, the code that made it, and which submission a leaf is about."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BATCH = 1000


def upgrade() -> None:
    """Add the columns; leaves that are there get the submission that their body names."""
    with op.batch_alter_table("submissions") as submissions:
        submissions.add_column(sa.Column("content_sm3", sa.String(), nullable=True))
        submissions.add_column(sa.Column("code_version", sa.String(), nullable=True))
    with op.batch_alter_table("merkle_leaves") as leaves:
        leaves.add_column(sa.Column("submission_id", _KEY, nullable=True))
        leaves.create_index("ix_merkle_leaves_submission_id", ["submission_id"])
    _name_submissions()


def _name_submissions() -> None:
    leaves = sa.table("merkle_leaves", sa.column("leaf_index"), sa.column("body"), sa.column("submission_id"))
    connection, after = op.get_bind(), -1
    while True:
        rows = connection.execute(
            sa.select(leaves.c.leaf_index, leaves.c.body)
            .where(leaves.c.leaf_index > after)
            .order_by(leaves.c.leaf_index)
            .limit(_BATCH)
        ).all()
        if not rows:
            return
        after = rows[-1].leaf_index
        named = [(row.leaf_index, json.loads(row.body).get("submission_id")) for row in rows]
        changes = [{"at": index, "named": found} for index, found in named if found is not None]
        if changes:
            connection.execute(
                sa.update(leaves)
                .where(leaves.c.leaf_index == sa.bindparam("at"))
                .values(submission_id=sa.bindparam("named")),
                changes,
            )
