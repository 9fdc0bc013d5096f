"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table of the first release."""
    _create_landing_tables()
    _create_submission_tables()
    _create_ledger_tables()
    _create_operations_tables()


def _create_landing_tables() -> None:
    """What landing keeps: streams, gaps, latest values, observations."""
    op.create_table(
        "streams",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_arrived_at_utc", sa.String(), nullable=False),
        sa.Column("last_event_at_utc", sa.String(), nullable=True),
        sa.Column("rows_total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream"),
    )
    op.create_table(
        "gaps",
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("detected_at_utc", sa.String(), nullable=False),
        sa.Column("refilled_at_utc", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("stream", "sequence"),
    )
    op.create_table(
        "latest_values",
        sa.Column("system_id", sa.String(), nullable=False),
        sa.Column("tag_id", sa.String(), nullable=False),
        sa.Column("source_at_utc", sa.String(), nullable=False),
        sa.Column("value_number", sa.Float(), nullable=True),
        sa.Column("value_text", sa.Text(), nullable=True),
        sa.Column("status_code", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system_id", "tag_id"),
    )
    op.create_table(
        "stream_observations",
        sa.Column("observation_id", _KEY, autoincrement=True, nullable=False),
        sa.Column("outlet_id", sa.String(), nullable=False),
        sa.Column("observed_at_utc", sa.String(), nullable=False),
        sa.Column("values_json", sa.Text(), nullable=False),
        sa.Column("created_at_utc", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("observation_id"),
        sa.UniqueConstraint("outlet_id", "observed_at_utc"),
    )


def _create_submission_tables() -> None:
    """The outbox."""
    op.create_table(
        "submissions",
        sa.Column("submission_id", _KEY, autoincrement=True, nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("period_start_utc", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("content_sha256", sa.String(), nullable=False),
        sa.Column("source_table", sa.String(), nullable=True),
        sa.Column("delta_version", sa.BigInteger(), nullable=True),
        sa.Column("created_at_utc", sa.String(), nullable=False),
        sa.Column("due_at_utc", sa.String(), nullable=True),
        sa.Column("next_attempt_at_utc", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("acknowledged_at_utc", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("submission_id"),
        sa.UniqueConstraint("idempotency_key"),
        sa.UniqueConstraint("report_id", "endpoint_id", "subject_id", "period_start_utc", "revision"),
    )
    op.create_index(
        "submissions_ready", "submissions", ["endpoint_id", "state", "next_attempt_at_utc"], unique=False
    )


def _create_ledger_tables() -> None:
    """What became of each submission."""
    op.create_table(
        "submission_events",
        sa.Column("event_id", _KEY, autoincrement=True, nullable=False),
        sa.Column("submission_id", _KEY, nullable=False),
        sa.Column("at_utc", sa.String(), nullable=False),
        sa.Column("from_state", sa.String(), nullable=True),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.submission_id"]),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_table(
        "receipts",
        sa.Column("receipt_id", _KEY, autoincrement=True, nullable=False),
        sa.Column("submission_id", _KEY, nullable=False),
        sa.Column("received_at_utc", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("receiver_reference", sa.String(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.submission_id"]),
        sa.PrimaryKeyConstraint("receipt_id"),
    )
    op.create_index(
        op.f("ix_submission_events_submission_id"), "submission_events", ["submission_id"], unique=False
    )
    op.create_index(op.f("ix_receipts_submission_id"), "receipts", ["submission_id"], unique=False)


def _create_operations_tables() -> None:
    """Findings, signs of life, and the tamper-evident log."""
    op.create_table(
        "findings",
        sa.Column("finding_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("cause_zh", sa.Text(), nullable=False),
        sa.Column("cause_en", sa.Text(), nullable=False),
        sa.Column("remedy_zh", sa.Text(), nullable=False),
        sa.Column("remedy_en", sa.Text(), nullable=False),
        sa.Column("opened_at_utc", sa.String(), nullable=False),
        sa.Column("last_seen_at_utc", sa.String(), nullable=False),
        sa.Column("closed_at_utc", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("finding_key"),
    )
    op.create_table(
        "process_heartbeats",
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("beat_at_real_utc", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("process"),
    )
    op.create_table(
        "merkle_leaves",
        sa.Column("leaf_index", _KEY, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("leaf_sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    op.create_table(
        "merkle_checkpoints",
        sa.Column("tree_size", sa.BigInteger(), nullable=False),
        sa.Column("root_sha256", sa.String(), nullable=False),
        sa.Column("signed_note", sa.Text(), nullable=False),
        sa.Column("created_at_utc", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size"),
    )
