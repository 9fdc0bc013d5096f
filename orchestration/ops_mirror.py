"""The state store's tables as `ops_*` tables of the lake, so that analysts ask one place.

Whole copies: they are small. Content bytes stay in the outbox; their hash is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from sqlalchemy import BigInteger, Column, Float, Integer, LargeBinary, Table, select

from lake import state_tables, tables
from lake.encodings import MIRROR
from lake.layout import LakePaths
from lake.state import StateStore


@dataclass(frozen=True)
class MirroredTable:
    """One mirrored table: its source, its name in the lake, what it is."""

    source: Table
    name: str
    label_zh: str
    label_en: str


MIRRORED = (
    MirroredTable(state_tables.streams, "ops_streams", "数据流位置", "How far each stream has landed"),
    MirroredTable(state_tables.gaps, "ops_gaps", "缺失数据段", "Missing segments, refilled or not"),
    MirroredTable(
        state_tables.gateway_links,
        "ops_gateway_links",
        "网闸链路：心跳、时延、丢包、修复与缺段",
        "Gateway links: heartbeat, lag, loss, repair and missing segments",
    ),
    MirroredTable(
        state_tables.latest_values, "ops_latest_values", "各位号最新值", "The last value of each tag"
    ),
    MirroredTable(
        state_tables.stream_observations,
        "ops_stream_observations",
        "实时上报取值",
        "Values sent in real time",
    ),
    MirroredTable(state_tables.submissions, "ops_submissions", "上报记录", "Submissions and their state"),
    MirroredTable(
        state_tables.submission_events, "ops_submission_events", "上报台账", "The ledger of submissions"
    ),
    MirroredTable(state_tables.receipts, "ops_receipts", "监管回执", "Receipts of the receivers"),
    MirroredTable(state_tables.findings, "ops_findings", "待处理问题", "Findings, open and closed"),
    MirroredTable(
        state_tables.process_heartbeats, "ops_heartbeats", "进程心跳", "Signs of life of processes"
    ),
)


def mirror(state: StateStore, lake: LakePaths, table: MirroredTable) -> tables.WriteReport:
    """Make the lake's copy equal to the state store's table."""
    columns = [column for column in table.source.columns if not isinstance(column.type, LargeBinary)]
    schema = pa.schema(
        [pa.field(column.name, _arrow_type(column), nullable=bool(column.nullable)) for column in columns]
    )
    with state.read() as connection:
        rows = [dict(row) for row in connection.execute(select(*columns)).mappings()]
    copy = pa.Table.from_pylist(rows, schema=schema)
    return tables.overwrite_if_changed(lake.table("ops", table.name), copy, schema, storage=MIRROR)


def _arrow_type(column: Column[object]) -> pa.DataType:
    if isinstance(column.type, BigInteger | Integer):
        return pa.int64()
    return pa.float64() if isinstance(column.type, Float) else pa.string()
