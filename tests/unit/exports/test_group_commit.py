from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, select

from exports.errors import ExportError
from exports.group_commit import GroupCommit
from exports.merkle_log import append_leaf
from exports.site import ExportSite
from lake.state_tables import merkle_leaves
from tests.fakes.export_site import SetClock, local, make_site

NOW = local("2026-11-17T06:30:00")


@pytest.fixture
def site(tmp_path: Path) -> ExportSite:
    return make_site(tmp_path, SetClock(NOW))


def leaf(number: int, conn: Connection) -> None:
    append_leaf(conn, "test", {"number": number}, NOW)


def kept(site: ExportSite) -> int:
    with site.state.read() as conn:
        return len(conn.scalars(select(merkle_leaves.c.leaf_index)).all())


def test_writes_of_one_moment_share_transactions_and_all_are_stored_on_return(site: ExportSite) -> None:
    commits = 0

    def count(_conn: Connection) -> None:
        nonlocal commits
        commits += 1

    async def run() -> None:
        group = GroupCommit(site.state)
        await asyncio.gather(*(group.run(partial(leaf, number)) for number in range(50)))

    event.listen(site.state.engine, "commit", count)
    asyncio.run(run())
    assert kept(site) == 50
    assert commits < 10


def test_a_failed_write_fails_its_group_and_leaves_nothing_of_it(site: ExportSite) -> None:
    def fail(_conn: Connection) -> None:
        raise ExportError("no")

    async def run() -> list[object]:
        group = GroupCommit(site.state)
        results = await asyncio.gather(group.run(partial(leaf, 1)), group.run(fail), return_exceptions=True)
        await group.run(partial(leaf, 2))
        return list(results)

    assert [type(result) for result in asyncio.run(run())] == [ExportError, ExportError]
    assert kept(site) == 1


def test_a_cancelled_writer_does_not_undo_the_others(site: ExportSite) -> None:
    async def run() -> None:
        group = GroupCommit(site.state)
        cancelled = asyncio.create_task(group.run(partial(leaf, 1)))
        other = asyncio.create_task(group.run(partial(leaf, 2)))
        await asyncio.sleep(0)
        cancelled.cancel()
        await other

    asyncio.run(run())
    assert kept(site) == 2
