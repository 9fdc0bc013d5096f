"""The state store: migrations make exactly the declared tables, and writers wait for each other."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import select, update

import lake.migrations
from lake import tables
from lake.engine import make_engine
from lake.errors import VersionError
from lake.layout import LakePaths
from lake.migrations import migrate
from lake.state import StateStore, from_utc_text, insert_if_absent, insert_or_update, open_state, utc_text
from lake.state_tables import gaps, merkle_leaves, metadata, streams
from protocols.points import ALARMS, ALARMS_1

NOW = datetime(2026, 11, 17, 1, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> StateStore:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    migrate(url)
    return open_state(url, lambda: NOW)


def _stream_row(name: str, sequence: int = 1) -> dict[str, object]:
    return {"stream": name, "last_sequence": sequence, "last_arrived_at_utc": utc_text(NOW), "rows_total": 0}


def test_migrations_make_exactly_the_declared_tables(store: StateStore) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_twice_changes_nothing_and_keeps_rows(tmp_path: Path) -> None:
    lake = LakePaths(tmp_path)
    first = migrate(lake.state_url, lake)
    with open_state(lake.state_url, lambda: NOW).begin() as connection:
        insert_or_update(connection, streams, _stream_row("a.points"))
    second = migrate(lake.state_url, lake)
    assert (first.from_revision, first.from_layout, first.changed) == (None, None, True)
    assert not second.changed
    assert second.to_layout == 2
    with open_state(lake.state_url, lambda: NOW).read() as connection:
        assert connection.execute(select(streams.c.stream)).scalars().all() == ["a.points"]


def test_raw_alarms_of_an_older_site_gain_their_states_and_keep_their_rows(tmp_path: Path) -> None:
    lake = LakePaths(tmp_path)
    path = lake.table("raw", "raw_opcua_a__alarms")
    other = lake.table("raw", "raw_opcua_a__points")
    plain = pa.schema([("event_id", pa.string()), ("is_active", pa.bool_())])
    for table in (path, other):
        tables.append(
            table, pa.table({"event_id": ["e1"], "is_active": [True]}), plain, app_id="a", version=1
        )
    lake.layout_version_file.write_text(json.dumps({"layout_version": 1}))
    report = migrate(lake.state_url, lake)
    assert (report.from_layout, report.to_layout) == (1, 2)
    assert tables.read(other).column_names == ["event_id", "is_active"]
    expected = [field for field in ALARMS if field.name not in ALARMS_1.names]
    assert [field.remove_metadata() for field in tables.read(path).schema][2:] == expected
    assert tables.read(path, columns=["event_id", "is_active", "told_by"]).to_pylist() == [
        {"event_id": "e1", "is_active": True, "told_by": None}
    ]
    version = tables.version(path)
    lake.layout_version_file.write_text(json.dumps({"layout_version": 1}))
    migrate(lake.state_url, lake)  # as after a kill in between
    assert tables.version(path) == version


def test_a_state_store_of_a_newer_program_is_refused_untouched(store: StateStore) -> None:
    with store.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    with pytest.raises(VersionError, match="found revision 9999, expected one up to"):
        migrate(store.url)


def test_a_lake_of_a_newer_program_is_refused_before_the_state_is_touched(tmp_path: Path) -> None:
    lake = LakePaths(tmp_path)
    lake.layout_version_file.parent.mkdir(parents=True)
    lake.layout_version_file.write_text(json.dumps({"layout_version": 99}))
    with pytest.raises(VersionError, match="found layout version 99"):
        migrate(lake.state_url, lake)
    assert not (tmp_path / "state.db").exists()


def test_a_transaction_that_raises_leaves_nothing(store: StateStore) -> None:
    def fail_half_way() -> None:
        with store.begin() as connection:
            insert_or_update(connection, streams, _stream_row("a.points"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with store.read() as connection:
        assert connection.execute(select(streams)).all() == []


def test_concurrent_read_then_write_transactions_lose_no_update(store: StateStore) -> None:
    with store.begin() as connection:
        insert_or_update(connection, streams, _stream_row("a.points", sequence=0))

    def count_up() -> None:
        for _ in range(25):
            with store.begin() as connection:
                found = connection.execute(select(streams.c.last_sequence)).scalar_one()
                connection.execute(update(streams).values(last_sequence=found + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.execute(select(streams.c.last_sequence)).scalar_one() == 100


def test_a_reader_is_not_held_up_by_an_open_write(store: StateStore) -> None:
    with store.begin() as writer:
        insert_or_update(writer, streams, _stream_row("a.points"))
        with store.read() as reader:
            assert reader.execute(select(streams)).all() == []


def test_insert_if_absent_says_whether_it_inserted_and_keeps_the_first_row(store: StateStore) -> None:
    row = {"stream": "a.points", "sequence": 7, "detected_at_utc": "first"}
    with store.begin() as connection:
        assert insert_if_absent(connection, gaps, row)
        assert not insert_if_absent(connection, gaps, {**row, "detected_at_utc": "second"})
        assert connection.execute(select(gaps.c.detected_at_utc)).scalar_one() == "first"


def test_instants_order_as_text_and_come_back(store: StateStore) -> None:
    instants = [NOW + timedelta(microseconds=step) for step in (0, 1, 999_999, 1_000_000)]
    texts = [utc_text(instant) for instant in instants]
    assert texts == sorted(texts)
    assert [from_utc_text(text) for text in texts] == instants
    with pytest.raises(ValueError, match="without a zone"):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001


def test_leaves_of_an_older_store_stay_and_get_the_submission_they_name(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'state.db'}")
    config = Config()
    config.set_main_option("script_location", str(Path(lake.migrations.__file__).parent))
    leaves = [(0, '{"kind":"enqueued","submission_id":7}'), (1, '{"kind":"configuration"}')]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for index, body in leaves:
            connection.exec_driver_sql("insert into merkle_leaves values (?, 'k', ?, '00')", (index, body))
    engine.dispose()
    assert migrate(f"sqlite:///{tmp_path / 'state.db'}").from_revision == "0002"
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", lambda: NOW).read() as connection:
        found = connection.execute(select(merkle_leaves.c.body, merkle_leaves.c.submission_id)).all()
    assert [tuple(row) for row in found] == [(leaves[0][1], 7), (leaves[1][1], None)]
