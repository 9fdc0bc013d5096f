"""Each raw table against its contract: blocking where it cannot be used, a warning where values are odd."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from contracts.arrow import raw_schema
from contracts.checks import Violation, check
from contracts.model import Contract, ExtractMode
from ingestion.stream_families import stream_families
from lake import tables
from lake.state import StateStore
from orchestration.assets.streams import raw_key, stream_name
from orchestration.labels import bilingual
from orchestration.location import Location
from orchestration.services import state_store

SCHEMA_CHECK = "contract_schema"
VALUES_CHECK = "contract_values"
_SEGMENTS = 100  # of a stream's newest segments: older ones were checked when they were the newest
_SHOWN = 10


def contract_checks(location: Location) -> list[dg.AssetChecksDefinition]:
    """Both checks of every raw table of the site."""
    return [_checks_of(location, contract) for contract in location.contracts.values()]


def _checks_of(location: Location, contract: Contract) -> dg.AssetChecksDefinition:
    key = raw_key(contract)

    @dg.multi_asset_check(
        name=f"check_{contract.name}",
        specs=[
            dg.AssetCheckSpec(
                SCHEMA_CHECK,
                asset=key,
                blocking=True,
                description=bilingual(
                    "列、类型、主键与合同一致", "Columns, types and keys are as the contract says."
                ),
            ),
            dg.AssetCheckSpec(
                VALUES_CHECK,
                asset=key,
                description=bilingual(
                    "代码、范围、格式与合同一致", "Codes, ranges and forms are as the contract says."
                ),
            ),
        ],
    )
    def contract_check() -> Iterator[dg.AssetCheckResult]:
        with state_store(location.settings) as state:
            rows = newest_rows(location, contract, state)
        violations = check(rows, contract)
        blocking = [violation for violation in violations if violation.is_blocking]
        others = [violation for violation in violations if not violation.is_blocking]
        yield _result(key, SCHEMA_CHECK, blocking, rows.num_rows, dg.AssetCheckSeverity.ERROR)
        yield _result(key, VALUES_CHECK, others, rows.num_rows, dg.AssetCheckSeverity.WARN)

    return contract_check


def newest_rows(location: Location, contract: Contract, state: StateStore) -> pa.Table:
    """The rows that came last: of a stream its newest segments, of an extract its last run."""
    path = location.settings.lake.table("raw", contract.name)
    if not tables.exists(path):
        return raw_schema(contract).empty_table()
    if contract.mode is not ExtractMode.STREAM:
        last = tables.transaction_version(path, contract.contract_id) or 0
        return tables.read(path, filters=[("_extract_sequence", "==", last), ("_op", "==", "upsert")])
    with state.read() as connection:
        found = stream_families(connection).get(stream_name(contract))
    if found is None:
        return tables.read(path, filters=[("_sequence", ">", -_SEGMENTS)])
    stream, after = found["newest_stream"], found["newest_sequence"] - _SEGMENTS
    return tables.read(path, filters=[("_stream", "==", stream), ("_sequence", ">", after)])


def _result(
    key: dg.AssetKey, name: str, violations: list[Violation], rows: int, severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    zh = "\n".join(
        f"{item.column}：发现 {item.found}，应为 {item.expected_zh}" for item in violations[:_SHOWN]
    )
    en = "\n".join(map(str, violations[:_SHOWN]))
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not violations,
        severity=severity,
        description=bilingual(zh, en) if violations else None,
        metadata={"rows": rows, "violations": len(violations)},
    )
