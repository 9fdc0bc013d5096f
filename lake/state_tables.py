"""The state store's tables: what must be transactional and small (outbox, ledger, gaps, findings).

Bulk data belongs in Delta, never here. Instants are stored as ISO 8601 UTC text with microseconds, so that
SQLite and PostgreSQL order and compare them alike.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
_Key = BigInteger().with_variant(Integer, "sqlite")

streams = Table(
    "streams",
    metadata,
    Column("stream", String, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("last_arrived_at_utc", String, nullable=False),
    Column("last_event_at_utc", String),
    Column("rows_total", BigInteger, nullable=False),
)

gaps = Table(
    "gaps",
    metadata,
    Column("stream", String, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("detected_at_utc", String, nullable=False),
    Column("refilled_at_utc", String),
)

# One sender behind the gateway: what its last heartbeat said, and what its receiver counted (UDP only).
gateway_links = Table(
    "gateway_links",
    metadata,
    Column("link_id", String, primary_key=True),  # the collector's id
    Column("transport", String),  # file_drop | udp
    Column("heartbeat_number", BigInteger),
    Column("heartbeat_every_s", Float),
    Column("heartbeat_sent_at_real_utc", String),  # the sender's machine time
    Column("heartbeat_arrived_at_real_utc", String),
    Column("lag_s", Float),  # from sent to arrived, the difference of the two clocks included
    Column("backlog_segments", BigInteger),  # sealed and not sent yet
    Column("sent_json", Text),  # {stream: [first, last, [[from, to] still to be sent]]}
    Column("counted_at_real_utc", String),
    Column("loss_rate", Float),  # share of datagrams lost since the link was first seen
    Column("blocks_whole", BigInteger),
    Column("blocks_lost", BigInteger),
    Column("symbols_repaired", BigInteger),
    Column("segments_received", BigInteger),
    Column("segments_repeated", BigInteger),
    Column("segments_refused", BigInteger),
    Column("segments_missing", BigInteger),
    Column("missing_json", Text),  # {stream: [[from, to]]}
    Column("bytes_received", BigInteger),
    Column("datagrams_refused", BigInteger),
    Column("pair_role", String),  # main | spare, of a collector of a pair
    Column("pair_state", String),  # active | waiting
    Column("pair_epoch", BigInteger),  # of its last activation
    Column("pair_hears_peer", Integer),  # 1 while it hears the other one
)

latest_values = Table(
    "latest_values",
    metadata,
    Column("system_id", String, primary_key=True),
    Column("tag_id", String, primary_key=True),
    Column("source_at_utc", String, nullable=False),
    Column("value_number", Float),
    Column("value_text", Text),
    Column("status_code", BigInteger, nullable=False),
)

# A moment of one outlet that a stream report must send; written while landing, consumed by the dispatcher.
stream_observations = Table(
    "stream_observations",
    metadata,
    Column("observation_id", _Key, primary_key=True, autoincrement=True),
    Column("outlet_id", String, nullable=False),
    Column("observed_at_utc", String, nullable=False),
    Column("values_json", Text, nullable=False),  # [{"factor_code", "value", "converted_value", "flag"}]
    Column("created_at_utc", String, nullable=False),
    UniqueConstraint("outlet_id", "observed_at_utc"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("submission_id", _Key, primary_key=True, autoincrement=True),
    Column("report_id", String, nullable=False),
    Column("endpoint_id", String, nullable=False),
    Column("subject_id", String, nullable=False),  # outlet, or the site where a report covers all of it
    Column("period_start_utc", String, nullable=False),
    Column("revision", Integer, nullable=False),  # 0 first; a correction or resubmission counts up
    Column("idempotency_key", String, nullable=False, unique=True),
    Column("mode", String, nullable=False),  # scheduled | stream
    Column("state", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("content_sha256", String, nullable=False),
    Column("content_sm3", String),  # none where the submission is older than the column
    Column("source_table", String),
    Column("delta_version", BigInteger),
    Column("code_version", String),  # what made the content from that version
    Column("created_at_utc", String, nullable=False),
    Column("due_at_utc", String),
    Column("next_attempt_at_utc", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("acknowledged_at_utc", String),
    UniqueConstraint("report_id", "endpoint_id", "subject_id", "period_start_utc", "revision"),
    Index("submissions_ready", "endpoint_id", "state", "next_attempt_at_utc"),
)

# The ledger: append-only, one row a transition or attempt.
submission_events = Table(
    "submission_events",
    metadata,
    Column("event_id", _Key, primary_key=True, autoincrement=True),
    Column("submission_id", _Key, ForeignKey("submissions.submission_id"), nullable=False, index=True),
    Column("at_utc", String, nullable=False),
    Column("from_state", String),
    Column("to_state", String, nullable=False),
    Column("detail", Text),
)

receipts = Table(
    "receipts",
    metadata,
    Column("receipt_id", _Key, primary_key=True, autoincrement=True),
    Column("submission_id", _Key, ForeignKey("submissions.submission_id"), nullable=False, index=True),
    Column("received_at_utc", String, nullable=False),
    Column("outcome", String, nullable=False),  # acknowledged | rejected
    Column("receiver_reference", String),
    Column("body", LargeBinary, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("finding_key", String, primary_key=True),  # stable: the same fault found again is the same row
    Column("kind", String, nullable=False),
    Column("severity", String, nullable=False),  # error | warning
    Column("subject", String, nullable=False),  # the row, tag, code, file or endpoint it names
    Column("cause_zh", Text, nullable=False),
    Column("cause_en", Text, nullable=False),
    Column("remedy_zh", Text, nullable=False),
    Column("remedy_en", Text, nullable=False),
    Column("opened_at_utc", String, nullable=False),
    Column("last_seen_at_utc", String, nullable=False),
    Column("closed_at_utc", String),
)

merkle_leaves = Table(
    "merkle_leaves",
    metadata,
    Column("leaf_index", _Key, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON; the leaf hash is over its UTF-8 bytes
    Column("leaf_sha256", String, nullable=False),
    Column("submission_id", _Key, index=True),  # which submission the fact is about, where it is about one
)

merkle_checkpoints = Table(
    "merkle_checkpoints",
    metadata,
    Column("tree_size", BigInteger, primary_key=True),
    Column("root_sha256", String, nullable=False),
    Column("signed_note", Text, nullable=False),
    Column("created_at_utc", String, nullable=False),
)

process_heartbeats = Table(
    "process_heartbeats",
    metadata,
    Column("process", String, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("beat_at_real_utc", String, nullable=False),
    Column("detail", Text),
)
