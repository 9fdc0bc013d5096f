"""What the collector and landing do, as assets whose state Dagster shows and does not run.

device (one a system) → gateway stream → raw table. Landing makes them; `orchestration.landed` tells of it.
"""

from __future__ import annotations

import dagster as dg

from contracts.model import Contract
from ingestion.registry import SystemKind, SystemSpec
from orchestration.labels import SYSTEM_KINDS, bilingual, system_tags, table_description, table_metadata, team
from orchestration.location import Location
from orchestration.partitions import plant_days

_DEVICES = {
    SystemKind.OPCUA: (" OPC UA 服务器", "an OPC UA server"),
    SystemKind.MQTT: (" MQTT 服务器", "an MQTT broker"),
    SystemKind.HJ212: (" HJ 212 仪表与数采仪", "instruments and data loggers that speak HJ 212"),
}


def stream_name(contract: Contract) -> str:
    """The gateway stream that a raw stream table is landed from."""
    return f"{contract.system_id}.{contract.table}"


def gateway_key(contract: Contract) -> dg.AssetKey:
    """The asset of a gateway stream."""
    return dg.AssetKey(["gateway", f"{contract.system_id}__{contract.table}"])


def raw_key(contract: Contract) -> dg.AssetKey:
    """The asset of a raw table."""
    return dg.AssetKey(["raw", contract.name])


def stream_assets(location: Location) -> list[dg.AssetSpec]:
    """The external assets of every system that the collector reads."""
    days = plant_days(location.settings)
    specs: list[dg.AssetSpec] = []
    for system in location.stream_systems:
        specs.append(_device(system))
        for contract in system.tables:
            specs += [_gateway_stream(system, contract), _raw_stream(system, contract, days)]
    return specs


def _device(system: SystemSpec) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=["device", system.system_id],
        description=bilingual(
            f"{system.label_zh}：生产控制区内的{_DEVICES[system.kind][0]}，由采集器读取，业务区不得反向连接（10.3）。",
            f"{system.label_en}: {_DEVICES[system.kind][1]} in the control zone, read by the collector; "
            "nothing in the business zone connects back (10.3).",
        ),
        group_name=system.system_id,
        owners=[team(system.owner)],
        kinds={str(system.kind)},
        tags=system_tags(system),
    )


def _gateway_stream(system: SystemSpec, contract: Contract) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=gateway_key(contract),
        deps=[["device", system.system_id]],
        description=bilingual(
            f"单向网闸上的数据流 {stream_name(contract)}：编号连续、带签名的数据段。",
            f"Gateway stream {stream_name(contract)}: signed segments, numbered without gaps, one way only.",
        ),
        group_name=system.system_id,
        owners=[team(system.owner)],
        kinds={"parquet"},
        tags=system_tags(system),
    )


def _raw_stream(system: SystemSpec, contract: Contract, days: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=raw_key(contract),
        deps=[gateway_key(contract)],
        description=table_description(contract),
        group_name=system.system_id,
        owners=[team(contract.owner)],
        kinds=set(SYSTEM_KINDS[system.kind]),
        tags=system_tags(system),
        metadata=table_metadata(contract),
        partitions_def=days,
    )
