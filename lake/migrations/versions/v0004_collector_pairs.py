"""What the senders of a pair of collectors say of themselves and of one another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; senders that are alone leave them empty."""
    with op.batch_alter_table("gateway_links") as links:
        links.add_column(sa.Column("pair_role", sa.String(), nullable=True))
        links.add_column(sa.Column("pair_state", sa.String(), nullable=True))
        links.add_column(sa.Column("pair_epoch", sa.BigInteger(), nullable=True))
        links.add_column(sa.Column("pair_hears_peer", sa.Integer(), nullable=True))
