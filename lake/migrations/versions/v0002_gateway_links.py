"""What is known of each sender behind the gateway."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of links."""
    op.create_table(
        "gateway_links",
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=True),
        sa.Column("heartbeat_number", sa.BigInteger(), nullable=True),
        sa.Column("heartbeat_every_s", sa.Float(), nullable=True),
        sa.Column("heartbeat_sent_at_real_utc", sa.String(), nullable=True),
        sa.Column("heartbeat_arrived_at_real_utc", sa.String(), nullable=True),
        sa.Column("lag_s", sa.Float(), nullable=True),
        sa.Column("backlog_segments", sa.BigInteger(), nullable=True),
        sa.Column("sent_json", sa.Text(), nullable=True),
        sa.Column("counted_at_real_utc", sa.String(), nullable=True),
        sa.Column("loss_rate", sa.Float(), nullable=True),
        sa.Column("blocks_whole", sa.BigInteger(), nullable=True),
        sa.Column("blocks_lost", sa.BigInteger(), nullable=True),
        sa.Column("symbols_repaired", sa.BigInteger(), nullable=True),
        sa.Column("segments_received", sa.BigInteger(), nullable=True),
        sa.Column("segments_repeated", sa.BigInteger(), nullable=True),
        sa.Column("segments_refused", sa.BigInteger(), nullable=True),
        sa.Column("segments_missing", sa.BigInteger(), nullable=True),
        sa.Column("missing_json", sa.Text(), nullable=True),
        sa.Column("bytes_received", sa.BigInteger(), nullable=True),
        sa.Column("datagrams_refused", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("link_id"),
    )
