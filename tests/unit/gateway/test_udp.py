"""The UDP gateway: loss, repetition, reordering; forgery, replay, bombs; what is told of it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.gateway import lanes, sessions
from ingestion.gateway.inbox import Inbox
from ingestion.gateway.pacing import TokenBucket
from ingestion.gateway.sender import Sender
from protocols.gateway_blocks import Fragment, write_fragment
from protocols.gateway_datagrams import INDEX, PREFIX, SYMBOL, BlockIndex, prefix, write_index
from protocols.heartbeat import read_heartbeat
from tests.fakes.gateway_ends import COLLECTOR, STREAM, SYSTEM, Ends
from tests.fakes.opaque_segments import seal_bytes

SEEDS = range(6)


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_segments_of_every_size_cross_unchanged(tmp_path: Path, is_encrypted: bool) -> None:
    ends = Ends(tmp_path, is_encrypted=is_encrypted)
    for number, size in enumerate((1, 900, 1432, 50_000, 3_000_000), start=1):
        ends.seal(number, size=size)
    assert ends.sender.send_once() == 5
    sent = ends.wire.taken()
    assert {PREFIX.unpack_from(datagram)[2] for datagram in sent} == {SYMBOL, INDEX}
    assert max(map(len, sent)) <= 1452
    ends.deliver(sent)
    assert (ends.arrived(), ends.missing()) == ([1, 2, 3, 4, 5], {})


def test_encrypted_segments_are_not_readable_on_the_wire(tmp_path: Path) -> None:
    ends = Ends(tmp_path, is_encrypted=True)
    seal_bytes(tmp_path / "state" / SYSTEM, STREAM, 1, b"the secret of the plant" * 500, ends.key)
    ends.sender.send_once()
    assert not any(b"secret" in datagram or STREAM.encode() in datagram for datagram in ends.wire.taken())


@pytest.mark.parametrize("seed", SEEDS)
def test_loss_repetition_and_reordering_within_what_was_prepared_for_change_nothing(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    ends = Ends(tmp_path, loss=0.2)
    ends.seal(*range(1, 9), size=chance.choice((700, 40_000, 400_000)))
    ends.sender.send_once()
    sent = [datagram for datagram in ends.wire.taken() for _ in range(chance.choice((1, 1, 1, 2)))]
    kept = [datagram for datagram in sent if chance.random() > 0.15]
    kept = [datagram for _, datagram in sorted(enumerate(kept), key=lambda at: at[0] + chance.uniform(0, 60))]
    ends.deliver(kept)
    assert (ends.arrived(), ends.missing()) == (list(range(1, 9)), {}), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_more_loss_than_was_prepared_for_is_told_number_by_number(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    ends = Ends(tmp_path, loss=0.02)
    for number in range(1, 13):
        ends.seal(number, size=60_000)
        ends.sender.send_once()
    sent, tail = ends.wire.taken(), None
    ends.sender.send_once()
    tail = ends.wire.taken()  # a heartbeat alone
    ends.deliver([*(datagram for datagram in sent if chance.random() > 0.25), *tail])
    arrived = ends.arrived()
    lost = [number for number in range(1, 13) if number not in arrived]
    assert lost, f"seed {seed}"
    told = [n for first, last in ends.missing()[STREAM] for n in range(first, last + 1)]
    assert told == lost, f"seed {seed}"
    assert ends.receiver.links[COLLECTOR].counts.blocks_lost >= 1


def test_the_index_may_come_last_and_may_be_lost_in_part(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1, size=900_000)
    ends.sender.send_once()
    sent = ends.wire.taken()
    indexes = [datagram for datagram in sent if datagram[3] == INDEX]
    symbols = [datagram for datagram in sent if datagram[3] == SYMBOL]
    big = max(
        (PREFIX.unpack_from(d)[4] for d in symbols), key=[PREFIX.unpack_from(d)[4] for d in symbols].count
    )
    first = next(datagram for datagram in indexes if PREFIX.unpack_from(datagram)[4] == big)
    ends.deliver([*symbols, first])
    assert ends.arrived() == [1]


def test_a_repeated_session_or_block_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1)
    ends.sender.send_once()
    first = ends.wire.taken()
    ends.deliver(first)
    (tmp_path / "inbox" / STREAM / "000000000001.json").unlink()
    ends.deliver(first)
    assert ends.arrived() == []
    ends.receiver = ends.new_receiver()
    ends.deliver(first)
    assert ends.arrived() == []
    ends.sender = ends.new_sender()
    ends.seal(2)
    ends.sender.send_once()
    ends.deliver(ends.wire.taken())
    assert ends.arrived() == [2]
    ends.receiver = ends.new_receiver()
    ends.deliver(first)
    assert (ends.arrived(), ends.receiver._sessions.refused.replayed > 0) == ([2], True)


def test_the_order_to_send_again_is_taken_though_the_number_was_received(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1)
    ends.sender.send_once()
    ends.deliver(ends.wire.taken())
    (tmp_path / "inbox" / STREAM / "000000000001.json").unlink()  # refused by landing, say
    assert ends.sender.resend(SYSTEM, STREAM, 1, 1) == 1
    ends.deliver(ends.wire.taken())
    assert ends.arrived() == [1]


def test_forged_symbols_never_reach_the_decoder(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1, size=200_000)
    ends.sender.send_once()
    sent = ends.wire.taken()
    forged = []
    for datagram in sent:
        if datagram[3] == SYMBOL:
            forged.append(datagram[:-4] + b"evil")
        forged.append(datagram)
    ends.deliver(forged)
    assert ends.arrived() == [1]
    assert ends.receiver._sessions.refused.forged > 50


def test_forged_symbols_before_the_index_do_not_keep_the_true_ones_out(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1, size=200_000)
    ends.sender.send_once()
    sent = ends.wire.taken()
    forged = [datagram[:-4] + b"evil" for datagram in sent if datagram[3] == SYMBOL]
    ends.deliver([*forged, *sent])
    assert ends.arrived() == [1]


def test_another_key_gets_nothing_in_and_costs_no_endless_checking(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    foreign = Ends(tmp_path / "other")
    foreign.seal(1)
    foreign.sender.send_once()
    ends.deliver(foreign.wire.taken())
    assert ends.arrived() == []
    assert ends.receiver.links == {}
    whole = index_of(1)
    bad = write_index(whole, Ed25519PrivateKey.generate())
    ends.deliver([bad] * (2 * sessions.BAD_SIGNATURES_S))
    assert ends.receiver._sessions.refused.excess > 0


def index_of(block: int, **changes: object) -> BlockIndex:
    found = {
        "session": time.time_ns() // 1_000_000 + 10,
        "block": block,
        "collector_id": COLLECTOR,
        "lane": 1,
        "ephemeral_key": b"",
        "content_bytes": 3000,
        "symbols": 8,
        "sha256": bytes(32),
        "first": 0,
        "digests": bytes(64),
        **changes,
    }
    return BlockIndex(**found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "lie",
    [
        {"content_bytes": 2**31},
        {"content_bytes": 0},
        {"symbols": 2**31},
        {"symbols": 1},
        {"first": 2**31},
        {"collector_id": "../../etc"},
        {"lane": 200},
        {"block": 0},
        {"digests": b""},
    ],
)
def test_a_signed_index_that_lies_is_refused(tmp_path: Path, lie: dict[str, object]) -> None:
    ends = Ends(tmp_path)
    ends.deliver([write_index(index_of(**{"block": 1, **lie}), ends.key)])  # type: ignore[arg-type]
    assert ends.receiver.links == {}
    assert ends.receiver.datagrams_refused == 1


def test_what_may_be_held_is_bounded(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    flood = [prefix(SYMBOL, 77, number) + bytes(4) + bytes(1432) for number in range(1, 20_000)]
    ends.deliver(flood)
    held = ends.receiver._sessions
    assert held._pending_bytes <= sessions.PENDING_BYTES
    assert len(held._pending) <= sessions.PENDING_BLOCKS
    opened = [write_index(index_of(number, session=5 * 10**12), ends.key) for number in range(1, 400)]
    ends.port.datagrams = opened
    ends.receiver._receive_for_a_while()
    (session,) = held._sessions.values()
    assert len(session.blocks) <= sessions.OPEN_BLOCKS


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.binary(max_size=1500), max_size=20), st.integers(0, 2**32))
def test_no_bytes_from_the_wire_crash_the_receiver(
    tmp_path_factory: pytest.TempPathFactory, junk: list[bytes], seed: int
) -> None:
    chance, ends = random.Random(seed), Ends(tmp_path_factory.mktemp("junk"))
    ends.seal(1, 2, size=20_000)
    ends.sender.send_once()
    sent = ends.wire.taken()
    changed = []
    for datagram in chance.sample(sent, min(20, len(sent))):
        spoilt = bytearray(datagram)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        changed += [bytes(spoilt), datagram[: chance.randrange(len(datagram))]]
    heads = [prefix(chance.choice((SYMBOL, INDEX)), ends.link.session, 1) + each for each in junk]
    mixed = [*sent, *junk, *heads, *changed]
    chance.shuffle(mixed)
    ends.deliver(mixed)
    assert ends.arrived() == [1, 2], f"seed {seed}"


@pytest.mark.parametrize(
    "hostile",
    [
        {"stream": "../../tmp/x"},
        {"stream": "Plant.points"},
        {"sequence": 0},
        {"sequence": 10**15},
        {"manifest_bytes": 0},
        {"total_bytes": 2**50},
        {"offset": 2**40},
    ],
)
def test_a_signed_fragment_that_names_another_place_or_a_bomb_is_refused(
    tmp_path: Path, hostile: dict[str, object]
) -> None:
    ends = Ends(tmp_path)
    given = {
        "stream": STREAM,
        "sequence": 1,
        "manifest_bytes": 10,
        "total_bytes": 100,
        "offset": 0,
        **hostile,
    }
    ends.link._hold(write_fragment(Fragment(**given, data=b"x" * 50)))  # type: ignore[arg-type]
    ends.link.flush()
    ends.deliver(ends.wire.taken())
    assert not (tmp_path / "inbox").exists() or list((tmp_path / "inbox").iterdir()) == []
    assert ends.receiver.links[COLLECTOR].counts.segments_refused == 1


def test_a_segment_that_the_control_zone_did_not_sign_stays_out(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    seal_bytes(tmp_path / "state" / SYSTEM, STREAM, 1, b"x" * 100, Ed25519PrivateKey.generate())
    ends.sender.send_once()
    ends.deliver(ends.wire.taken())
    assert (ends.arrived(), ends.missing()) == ([], {STREAM: [(1, 1)]})
    assert ends.receiver.links[COLLECTOR].counts.segments_refused == 1


def test_a_file_that_landing_takes_while_the_inbox_is_measured_counts_for_nothing(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    inbox = Inbox(tmp_path / "inbox", ends.key.public_key(), quota_bytes=100, least_free_bytes=0)
    stream = tmp_path / "inbox" / STREAM
    stream.mkdir(parents=True)
    (stream / "000000000001.parquet").write_bytes(bytes(60))
    (stream / "000000000002.parquet").symlink_to(stream / "gone")  # listed, and not to be found
    assert inbox.has_room(40)
    assert not inbox.has_room(41)


def test_a_full_inbox_takes_no_more_and_says_what_is_missing(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    inbox = Inbox(tmp_path / "inbox", ends.key.public_key(), quota_bytes=30_000, least_free_bytes=0)
    ends.receiver._inbox = inbox
    ends.seal(1, 2, 3, size=12_000)
    ends.sender.send_once()
    ends.deliver(ends.wire.taken())
    assert (ends.arrived(), ends.missing()) == ([1, 2], {STREAM: [(3, 3)]})


def test_a_link_that_is_down_keeps_everything_for_later(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1)
    ends.wire.is_cut = True
    with pytest.raises(OSError, match="unreachable"):
        ends.sender.send_once()
    ends.wire.is_cut = False
    ends.seal(2)
    assert ends.sender.send_once() == 2
    ends.deliver(ends.wire.taken())
    assert (ends.arrived(), ends.missing()) == ([1, 2], {})


def test_a_backlog_goes_behind_what_is_live_and_is_announced(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(*range(1, 101), size=500)
    ends.sender._lanes._backlog.bytes_s = 0.0  # nothing but live may go
    assert ends.sender.send_once() == 1
    ends.deliver(ends.wire.taken())
    assert (ends.arrived(), ends.missing()) == ([100], {})  # 1 to 99 are still to come
    beat = read_heartbeat(next((tmp_path / "inbox").glob("heartbeat.*")).read_bytes(), ends.key.public_key())
    assert (beat.backlog_segments, beat.streams[STREAM].waiting) == (99, ((1, 99),))
    ends.sender = ends.new_sender()  # and the ledger is durable
    ends.seal(101)
    assert ends.sender.send_once() == 100
    ends.deliver(ends.wire.taken())
    assert (ends.arrived(), ends.missing()) == (list(range(1, 102)), {})
    assert (ends.new_sender().send_once(), ends.wire.taken() != []) == (0, True)


def test_recent_segments_are_repeated_behind_everything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "REPEAT_AFTER_S", 0.0)
    ends = Ends(tmp_path)
    ends.seal(1, 2, size=5_000)
    repeating = Sender(tmp_path / "state", ends.link, 72.0, repeat_bytes_s=1e12)
    assert repeating.send_once() == 4
    sent = ends.wire.taken()
    blocks = [PREFIX.unpack_from(datagram)[4] for datagram in sent]
    assert sorted(set(blocks)) == [1, 2]  # a lane a block
    ends.deliver([datagram for datagram in sent if PREFIX.unpack_from(datagram)[4] == 2])
    assert ends.arrived() == [1, 2]  # the repeat alone is enough
    ends.deliver([datagram for datagram in sent if PREFIX.unpack_from(datagram)[4] == 1])
    assert ends.receiver.links[COLLECTOR].counts.segments_repeated == 2
    assert repeating.send_once() == 0


def test_an_order_goes_behind_what_is_live_and_alarms_before_points(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.seal(1, 2)
    ends.sender.send_once()
    lanes.write_order(tmp_path / "state", SYSTEM, STREAM, 1, 2)
    ends.seal(3, 4)
    ends.seal(1, stream="plant.alarms")
    found = lanes.Lanes(tmp_path / "state", TokenBucket(1e9, 1e9), None)
    found.begin()
    order = []
    while (item := found.next()) is not None:
        order.append((item.lane, item.stream, item.number))
        found.sent(item, 100)
    assert order == [
        ("live", "plant.alarms", 1),
        ("live", STREAM, 3),
        ("live", STREAM, 4),
        ("ordered", STREAM, 1),
        ("ordered", STREAM, 2),
    ]


def test_a_token_bucket_holds_the_rate_and_lets_no_piece_starve() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    bucket = TokenBucket(1000.0, 100.0, monotonic=lambda: now[0], sleep=sleep)
    for _ in range(10):
        bucket.wait()
        bucket.take(500)
    assert 4.3 < now[0] < 4.6  # nine pieces of half a second each, less what stood ready
    assert not bucket.has_any()
