"""The tamper-evident log: every submission, refusal and change of configuration is a leaf (RFC 6962).

Leaves are appended in the transaction of the fact they state. A checkpoint signs how many leaves there are
and the root over them; who keeps checkpoints elsewhere can show later that nothing before was altered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from lake.state import utc_text
from lake.state_tables import merkle_leaves
from protocols.log_tiles import ENTRY_LIMIT_BYTES
from protocols.merkle import leaf_hash

_LONGEST_FACT = 256  # of an entry that is too long as a whole


def append_leaf(conn: Connection, kind: str, facts: Mapping[str, Any], now: datetime) -> int:
    """Append a fact to the log; answers its index.

    Args:
        conn: the write transaction of the fact itself.
        kind: what sort of fact, such as `enqueued`.
        facts: what it says; JSON types only. `submission_id` names the submission it is about. What would
            not fit into an entry of the log stands there by its hash.
        now: the plant's present.
    """
    body = _canonical({**facts, "kind": kind, "at_utc": utc_text(now)})
    if len(body.encode()) > ENTRY_LIMIT_BYTES:
        short = {name: shortened(value) for name, value in facts.items()}
        body = _canonical({**short, "kind": kind, "at_utc": utc_text(now)})
    last = conn.scalar(select(func.max(merkle_leaves.c.leaf_index)))
    index = 0 if last is None else int(last) + 1
    leaf_sha256 = leaf_hash(body.encode()).hex()
    conn.execute(
        insert(merkle_leaves).values(
            leaf_index=index,
            kind=kind,
            body=body,
            leaf_sha256=leaf_sha256,
            submission_id=facts.get("submission_id"),
        )
    )
    return index


def _canonical(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def shortened(value: Any) -> Any:
    """A fact as an entry that is too long as a whole tells it: by its hash where it is long itself."""
    text = value if isinstance(value, str) else _canonical({"": value})
    if len(text) <= _LONGEST_FACT:
        return value
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
