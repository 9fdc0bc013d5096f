"""The tamper-evident log: every submission, refusal and change of configuration is a leaf (RFC 6962).

Leaves are appended in the transaction of the fact they state. A checkpoint signs how many leaves there are
and the root over them; who keeps checkpoints elsewhere can show later that nothing before was altered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from lake.state import utc_text
from lake.state_tables import merkle_leaves
from protocols.merkle import leaf_hash


def append_leaf(conn: Connection, kind: str, facts: Mapping[str, Any], now: datetime) -> int:
    """Append a fact to the log; answers its index.

    Args:
        conn: the write transaction of the fact itself.
        kind: what sort of fact, such as `enqueued`.
        facts: what it says; JSON types only.
        now: the plant's present.
    """
    body = json.dumps(
        {**facts, "kind": kind, "at_utc": utc_text(now)},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    last = conn.scalar(select(func.max(merkle_leaves.c.leaf_index)))
    index = 0 if last is None else int(last) + 1
    leaf_sha256 = leaf_hash(body.encode()).hex()
    conn.execute(
        insert(merkle_leaves).values(leaf_index=index, kind=kind, body=body, leaf_sha256=leaf_sha256)
    )
    return index
