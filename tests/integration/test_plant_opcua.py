"""The reference plant's OPC UA servers as a client meets them: real processes, real sessions, real time.

One site, a clock at 120 times, and both servers started once; what happens in three seconds is recorded and
looked at from several sides.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from protocols import opcua_time
from protocols.clock import load_clock
from protocols.opcua_time import to_ticks
from reference_plant.init import make_site, write_clock
from reference_plant.options import PlantOptions
from reference_plant.pki import application_identity
from reference_plant.plant.alarms import alarm_events
from reference_plant.plant.simulation import Plant, load_plant

SPEED = 120.0
OPTIONS = PlantOptions(history_hours=6, live_minutes=60, speed=SPEED)
LIVE = OPTIONS.live_from
MINUTES = {
    "gas_release": (1, 4),
    "unit_change": (2, 60),
    "instrument_fault": (3, 60),
    "server_outage": (9, 14),
}
ALARM_TYPES = [
    ua.ObjectIds.ExclusiveLevelAlarmType,
    ua.ObjectIds.ExclusiveLimitAlarmType,
    ua.ObjectIds.OffNormalAlarmType,
]
REFRESH_TYPES = [ua.ObjectIds.RefreshStartEventType, ua.ObjectIds.RefreshEndEventType]  # Part 9, 5.5.7
NODE = 2  # index of the plant's namespace


def at(minutes: float) -> datetime:
    return LIVE + timedelta(minutes=minutes)


@dataclass
class Recording:
    """What a subscriber saw."""

    values: dict[str, list[tuple[int, object, int]]] = field(default_factory=dict)
    events: list[object] = field(default_factory=list)
    units: list[ua.EUInformation] = field(default_factory=list)
    seen_from: int = 0
    seen_until: int = 0

    def datachange_notification(self, node, _value, data) -> None:
        value = data.monitored_item.Value
        name = node.nodeid.Identifier
        if name.endswith(".EngineeringUnits"):
            self.units.append(value.Value.Value)
            return
        sample = (to_ticks(value.SourceTimestamp), value.Value.Value, value.StatusCode.value)
        self.values.setdefault(name, []).append(sample)

    def event_notification(self, event) -> None:
        self.events.append(event)

    def status_change_notification(self, status) -> None:
        raise AssertionError(status)


@dataclass
class Site:
    folder: Path
    plant: Plant

    @property
    def clock(self):
        return load_clock(self.folder / "clock.json")

    def client(self, system_id: str) -> Client:
        ports = json.loads((self.folder / "plant.json").read_text())["ports"]
        client = Client(f"opc.tcp://127.0.0.1:{ports[system_id]}/chemlink", timeout=10, watchdog_intervall=60)
        client.application_uri = "urn:chemlink:collector"
        return client

    @asynccontextmanager
    async def session(self, system_id: str, own: Path | None = None):
        client = self.client(system_id)
        own = own or self.folder / "pki" / "own"
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            own / "cert.der",
            own / "key.pem",
            server_certificate=self.folder / "pki" / "trusted" / f"{system_id}.der",
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
        async with client:
            yield client

    def wait_until(self, minutes: float) -> None:
        missing = (at(minutes) - self.clock.now()).total_seconds()
        time.sleep(max(0.0, self.clock.real_seconds(missing)))

    def wait_up(self, system_id: str) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                asyncio.run(self.client(system_id).connect_and_get_server_endpoints())
                return
            except OSError:
                assert time.monotonic() < deadline, f"{system_id} does not answer"
                time.sleep(0.05)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    opcua_time.install()
    folder = tmp_path_factory.mktemp("plant") / "site"
    make_site(folder, OPTIONS)
    described = json.loads((folder / "plant.json").read_text())
    for scenario in described["scenarios"]:
        if scenario["name"] in MINUTES:
            begin, end = MINUTES[scenario["name"]]
            scenario |= {"from_utc": at(begin).isoformat(), "to_utc": at(end).isoformat()}
    (folder / "plant.json").write_text(json.dumps(described))
    write_clock(folder, LIVE, SPEED, begins_in_s=9)
    servers = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "reference_plant",
                "serve-opcua",
                "--site",
                str(folder),
                "--system",
                system,
            ]
        )
        for system in ("opcua_production", "opcua_environment")
    ]
    try:
        found = Site(folder, load_plant(folder))
        found.wait_up("opcua_production")
        found.wait_up("opcua_environment")
        yield found
    finally:
        for server in servers:
            server.terminate()
        assert [server.wait(10) for server in servers] == [0, 0]


@pytest.fixture(scope="module")
def recording(site: Site) -> Recording:
    """Everything the production server published from before live time to its fifth minute."""
    assert site.clock.now() < at(0), "the servers took longer to start than the clock waits for them"
    return asyncio.run(_record(site))


async def _record(site: Site) -> Recording:
    found = Recording()
    async with site.session("opcua_production") as client:
        subscription = await client.create_subscription(100, found, queue_maxsize=100_000)
        tags = [
            client.get_node(ua.NodeId(tag.tag_id, NODE)) for tag in site.plant.systems["opcua_production"]
        ]
        every = ua.MonitoringParameters(SamplingInterval=0, QueueSize=1000)
        every.Filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        unit = client.get_node(ua.NodeId("T102.TEMP.EngineeringUnits", NODE))
        await subscription.subscribe_events(evtypes=ALARM_TYPES)
        requests = [
            ua.MonitoredItemCreateRequest(
                ua.ReadValueId(node.nodeid, ua.AttributeIds.Value),
                ua.MonitoringMode.Reporting,
                ua.MonitoringParameters(number, 0, every.Filter, 1000, True),
            )
            for number, node in enumerate(tags, start=1000)
        ]
        await subscription.create_monitored_items(requests)
        found.seen_from = to_ticks(site.clock.now())
        await subscription.subscribe_data_change(unit)
        found.seen_until = to_ticks(at(5))
        while site.clock.now() < at(7):  # a second of ours for the last values to arrive
            await asyncio.sleep(0.1)
        await subscription.delete()
    return found


async def _read_all(
    client: Client, tag_id: str, start: datetime, end: datetime, page: int = 0
) -> list[ua.DataValue]:
    return await client.get_node(ua.NodeId(tag_id, NODE)).read_raw_history(start, end, page)


def assert_equals_truth(
    site: Site, tag_id: str, values: list[ua.DataValue], start: datetime, end: datetime
) -> None:
    truth = site.plant.series(tag_id, to_ticks(start), to_ticks(end))
    assert [to_ticks(value.SourceTimestamp) for value in values] == truth.ticks.tolist()
    assert [value.StatusCode.value for value in values] == truth.status.tolist()
    found = [value.Value.Value if value.Value is not None else None for value in values]
    if site.plant.tags[tag_id].data_type == "string":
        assert found == truth.values.tolist()
    else:
        numbers = np.array([np.nan if value is None else value for value in found], dtype=float)
        np.testing.assert_array_equal(numbers, truth.values)


def test_live_values_are_the_truth_with_nothing_left_out(site: Site, recording: Recording) -> None:
    for tag in site.plant.systems["opcua_production"]:
        truth = site.plant.series(tag.tag_id, to_ticks(at(0)), recording.seen_until)
        seen = [
            one for one in recording.values[tag.tag_id] if to_ticks(at(0)) <= one[0] < recording.seen_until
        ]
        assert [ticks for ticks, _, _ in seen] == truth.ticks.tolist(), tag.tag_id
        assert [status for _, _, status in seen] == truth.status.tolist(), tag.tag_id
        values = [np.nan if value is None else value for _, value, _ in seen]
        if tag.data_type == "string":
            assert values == truth.values.tolist()
        else:
            np.testing.assert_array_equal(np.array(values, float), truth.values)


def test_source_times_keep_their_digit_of_100_ns(site: Site, recording: Recording) -> None:
    digits = {one[0] % 10 for samples in recording.values.values() for one in samples}
    assert 0 not in digits
    assert len(digits) > 4


def test_an_alarm_arrives_is_acknowledged_and_ends(site: Site, recording: Recording) -> None:
    expected = [
        event
        for event in alarm_events(site.plant, "opcua_production", at(0), at(4.9))
        if "GD101" in event.rule.tag_id
    ]
    assert [event.level for event in expected] == [1, 1, 0]
    seen = [event for event in recording.events if event.SourceName == "GD101.NH3"]
    assert [event.EventId for event in seen] == [event.event_id for event in expected]
    assert [to_ticks(event.Time) for event in seen] == [event.ticks for event in expected]
    states = [(getattr(event, "ActiveState/Id"), getattr(event, "AckedState/Id")) for event in seen]
    assert states == [(True, False), (True, True), (False, True)]
    assert {event.NodeId for event in seen} == {ua.NodeId("GD101.NH3.Alarm", NODE)}
    assert seen[0].Severity == 700
    assert "GD101.NH3" in seen[0].Message.Text
    assert seen[0].EventType == ua.NodeId(ua.ObjectIds.ExclusiveLimitAlarmType)


def test_a_changed_unit_is_published_when_it_changes(recording: Recording) -> None:
    assert [unit.DisplayName.Text for unit in recording.units] == ["°C", "K"]
    assert recording.units[0].UnitId == 4408652  # UNECE CEL, as the OPC Foundation's table has it


def test_the_server_comes_back_from_an_outage_with_its_whole_history(
    site: Site, recording: Recording
) -> None:
    site.wait_until(9.6)
    with pytest.raises(OSError, match=r"."):
        asyncio.run(site.client("opcua_environment").connect_and_get_server_endpoints())
    site.wait_until(14)
    site.wait_up("opcua_environment")
    site.wait_until(15)

    async def read() -> None:
        async with site.session("opcua_environment") as client:
            for tag_id in ("DA001.NOX", "DA001.STATE", "DW001.COD", "YS001.VALVE"):
                values = await _read_all(client, tag_id, at(8), at(15))
                assert_equals_truth(site, tag_id, values, at(8), at(15))

    asyncio.run(read())


def test_an_alarm_that_outlasts_a_restart_is_told_again_on_refresh(site: Site, recording: Recording) -> None:
    site.wait_until(15)
    site.wait_up("opcua_environment")
    seen = Recording()

    async def refresh() -> None:
        async with site.session("opcua_environment") as client:
            subscription = await client.create_subscription(50, seen)
            await subscription.subscribe_events(evtypes=[*ALARM_TYPES, *REFRESH_TYPES])
            conditions = client.get_node(ua.NodeId(ua.ObjectIds.ConditionType))
            refresh_method = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)
            wanted = ua.Variant(subscription.subscription_id, ua.VariantType.UInt32)
            await conditions.call_method(refresh_method, wanted)
            await asyncio.sleep(0.5)

    asyncio.run(refresh())
    # What was told before the refresh began is live news; the refresh tells each alarm once.
    kinds = [event.EventType.Identifier for event in seen.events]
    start, end = (kinds.index(kind) for kind in REFRESH_TYPES)
    told = [(event.SourceName, getattr(event, "ActiveState/Id")) for event in seen.events[start + 1 : end]]
    assert told == [("DA001.STATE", True)]


def test_history_equals_the_truth_in_pages_of_any_size(site: Site) -> None:
    async def read() -> None:
        async with site.session("opcua_environment") as client:
            start, end = at(-6 * 60), at(-3)
            for tag_id in ("DA001.PM", "DA001.STATE", "DA002.NMHC", "YS001.VALVE", "MET.BARO"):
                assert_equals_truth(site, tag_id, await _read_all(client, tag_id, start, end), start, end)
            details = ua.ReadRawModifiedDetails(
                IsReadModified=False, StartTime=start, EndTime=end, NumValuesPerNode=1000, ReturnBounds=False
            )
            node = client.get_node(ua.NodeId("DA001.O2", NODE))
            pages, point = [], None
            while True:
                result = await node.history_read(details, point)
                pages.append(result.HistoryData.DataValues)
                point = result.ContinuationPoint
                if not point:
                    break
            assert [len(page) for page in pages] == [1000, 1000, 1000, 1000, 284]
            assert_equals_truth(site, "DA001.O2", [value for page in pages for value in page], start, end)
        async with site.session("opcua_production") as client:
            for tag_id in ("R301.BATCH_ID", "R301.PHASE", "EM.ENERGY"):
                assert_equals_truth(site, tag_id, await _read_all(client, tag_id, start, end), start, end)

    asyncio.run(read())


def test_history_reads_backwards_and_never_before_its_start_or_after_now(site: Site) -> None:
    async def read() -> None:
        async with site.session("opcua_production") as client:
            node = client.get_node(ua.NodeId("T101.LEVEL", NODE))
            newest_first = await node.read_raw_history(at(-1), at(-11), 0)
            ticks = [to_ticks(value.SourceTimestamp) for value in newest_first]
            assert len(ticks) == 60
            assert ticks == sorted(ticks, reverse=True)
            early = await node.read_raw_history(at(-60 * 24), at(-6 * 60 + 1), 0)
            assert to_ticks(early[0].SourceTimestamp) >= to_ticks(OPTIONS.history_start)
            assert len(early) == 6
            late = await node.read_raw_history(at(-1), at(10_000), 0)
            assert to_ticks(late[-1].SourceTimestamp) <= to_ticks(site.clock.now())

    asyncio.run(read())


def test_a_day_of_history_costs_the_server_little(site: Site) -> None:
    """26 tags at 5 s are some 450 000 values a day; a quarter of it must stay under a quarter of 15 s."""
    own = psutil.Process()
    (server,) = [one for one in own.children() if "opcua_environment" in one.cmdline()]

    async def read() -> int:
        count = 0
        async with site.session("opcua_environment") as client:
            details = ua.ReadRawModifiedDetails(
                IsReadModified=False,
                StartTime=at(-6 * 60),
                EndTime=at(0),
                NumValuesPerNode=0,
                ReturnBounds=False,
            )
            params = ua.HistoryReadParameters()
            params.ReleaseContinuationPoints = False
            params.HistoryReadDetails = details
            params.TimestampsToReturn = ua.TimestampsToReturn.Both
            tags = site.plant.systems["opcua_environment"]
            params.NodesToRead = [ua.HistoryReadValueId(NodeId=ua.NodeId(tag.tag_id, NODE)) for tag in tags]
            while params.NodesToRead:
                results = await client.uaclient.history_read(params)
                following = []
                for node, result in zip(params.NodesToRead, results, strict=True):
                    count += len(result.HistoryData.DataValues)
                    if result.ContinuationPoint:
                        node.ContinuationPoint = result.ContinuationPoint
                        following.append(node)
                params.NodesToRead = following
        return count

    before = sum(server.cpu_times()[:2])
    count = asyncio.run(read())
    spent = sum(server.cpu_times()[:2]) - before
    assert count > 70_000
    assert spent / count * 450_000 < 15.0


def test_units_ranges_types_and_names_are_readable(site: Site) -> None:
    async def read() -> None:
        async with site.session("opcua_environment") as client:
            assert await client.get_namespace_index("urn:chemlink:reference:environment") == NODE
            for tag in site.plant.systems["opcua_environment"]:
                node = client.get_node(ua.NodeId(tag.tag_id, NODE))
                assert (await node.read_display_name()).Text == tag.label_zh
                assert (await node.read_description()).Text == tag.label_en
                names = {(await child.read_browse_name()).Name for child in await node.get_properties()}
                if tag.unit:
                    unit = await (await node.get_child("0:EngineeringUnits")).read_value()
                    assert unit.DisplayName.Text == tag.unit
                    limits = await (await node.get_child("0:EURange")).read_value()
                    assert (limits.Low, limits.High) == (tag.range_low, tag.range_high)
                    assert (await node.read_type_definition()).Identifier == ua.ObjectIds.AnalogItemType
                else:
                    assert not names & {"EngineeringUnits", "EURange"}
            valve = client.get_node(ua.NodeId("YS001.VALVE", NODE))
            assert isinstance(await valve.read_value(), bool)

    asyncio.run(read())


def test_alarms_of_the_past_are_event_history(site: Site) -> None:
    async def read() -> list[object]:
        async with site.session("opcua_production") as client:
            types = [client.get_node(ua.NodeId(number)) for number in ALARM_TYPES]
            return await client.nodes.server.read_event_history(at(0), at(4.9), 0, types)

    expected = alarm_events(site.plant, "opcua_production", at(0), at(4.9))
    assert [event.EventId for event in asyncio.run(read())] == [event.event_id for event in expected]


def test_an_unknown_certificate_is_refused(site: Site, tmp_path: Path) -> None:
    stranger = application_identity("stranger", "urn:chemlink:collector", is_server=False)
    (tmp_path / "cert.der").write_bytes(stranger.der)
    pem = stranger.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)

    async def connect() -> None:
        async with site.session("opcua_production", own=tmp_path):
            pytest.fail("a stranger got a session")

    with pytest.raises(ua.uaerrors.BadCertificateUntrusted):
        asyncio.run(connect())


def test_plain_text_and_signed_only_are_refused(site: Site) -> None:
    async def offered() -> list[tuple[str, ua.MessageSecurityMode]]:
        endpoints = await site.client("opcua_production").connect_and_get_server_endpoints()
        return [(one.SecurityPolicyUri.rpartition("#")[2], one.SecurityMode) for one in endpoints]

    async def connect_plain() -> None:
        client = site.client("opcua_production")
        await client.connect_socket()
        try:
            await client.send_hello()
            await client.open_secure_channel()
            await client.create_session()
            await client.activate_session()
        finally:
            client.disconnect_socket()

    async def connect_signed() -> None:
        client = site.client("opcua_production")
        own = site.folder / "pki" / "own"
        trusted = site.folder / "pki" / "trusted" / "opcua_production.der"
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            own / "cert.der",
            own / "key.pem",
            server_certificate=trusted,
            mode=ua.MessageSecurityMode.Sign,
        )
        await asyncio.wait_for(client.connect(), 1.5)

    assert asyncio.run(offered()) == [("Basic256Sha256", ua.MessageSecurityMode.SignAndEncrypt)]
    for connect in (connect_plain, connect_signed):
        with pytest.raises((ua.UaError, OSError, TimeoutError)):
            asyncio.run(connect())
