"""Files on a real SFTP server end to end: fetched once, whole, from the right server, and taken in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingestion.errors import PermanentError, RegistryError, SourceUnavailableError
from ingestion.files import sftp
from ingestion.registry import load_registry
from ingestion.site_files import SftpSite
from tests.fakes.file_site import HEADINGS, SYSTEM, FileSite, make_file_site
from tests.fakes.sftp_server import PASSWORD, USER, SftpServer, sftp_server

ROW = "{},2026-11-16 09:30:00,苏A·1,10.5,2,是,2026-12-01,open\n"


def tickets(*numbers: str) -> bytes:
    return (",".join(HEADINGS) + "\n" + "".join(map(ROW.format, numbers))).encode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    (tmp_path / "remote" / "out").mkdir(parents=True)
    with sftp_server(tmp_path / "remote") as running:
        yield running


Connected = Callable[..., FileSite]


@pytest.fixture
def connected(tmp_path: Path, server: SftpServer) -> Connected:
    def make(layout: dict[str, Any] | None = None, **own: Any) -> FileSite:
        site = make_file_site(tmp_path / "site", layouts={"tickets": layout or {}})
        said = {"password_secret": "weighbridge_password"} if "key_secret" not in own else {}
        remote = SftpSite(
            **{"host": "127.0.0.1", "port": server.port, "user": USER, "folder": "/out",
               "host_key": server.public_host_key, "timeout_s": 5, **said, **own}
        )  # fmt: skip
        secrets = {
            "weighbridge_password": PASSWORD,
            "weighbridge_key": server.client_key.export_private_key().decode(),
        }
        context = replace(site.context, secrets=secrets.__getitem__)
        return FileSite(context, replace(site.system, sftp=remote))

    return make


def put(server: SftpServer, name: str, content: bytes, *, modified_s: int = 1_700_000_000) -> Path:
    path = server.root / "out" / name
    path.write_bytes(content)
    os.utime(path, (modified_s, modified_s))
    return path


def test_a_file_is_fetched_once_and_stays_on_the_server(connected: Connected, server: SftpServer) -> None:
    site, path = connected(), put(server, "a.csv", tickets("T-001", "T-002"))
    assert site.take_in().rows_upserted == 2
    sent = server.bytes_read
    assert site.take_in().rows_upserted == 0
    assert server.bytes_read == sent, "a version that is known is not sent again"
    os.utime(path, (1_700_000_100, 1_700_000_100))
    assert sftp.fetch_files(site.system, site.context).delivered == (), "touched, not changed"
    put(server, "a.csv", tickets("T-001", "T-002", "T-003"), modified_s=1_700_000_200)
    assert site.take_in().rows_upserted == 1
    assert path.exists()
    assert set(site.present()) == {"T-001", "T-002", "T-003"}


def test_a_private_key_opens_the_folder_too(connected: Connected, server: SftpServer) -> None:
    put(server, "磅单.csv", tickets("T-001"))
    site = connected(key_secret="weighbridge_key")
    assert site.take_in().rows_upserted == 1
    (row,) = site.raw()
    assert "磅单" in row["_source_file"]


def test_the_file_has_its_remote_time_under_its_name(connected: Connected, server: SftpServer) -> None:
    put(server, "a.csv", tickets("T-001"))
    site = connected()
    assert sftp.fetch_files(site.system, site.context).delivered == ("a.csv",)
    (arrived,) = (site.folder / "inbox").iterdir()
    assert (arrived.name, int(arrived.stat().st_mtime)) == ("a.csv", 1_700_000_000)


def test_a_broken_transfer_goes_on_where_it_ended(connected: Connected, server: SftpServer) -> None:
    content = tickets(*(f"T-{number:06}" for number in range(20_000)))
    put(server, "big.csv", content)
    site, server.breaks_after = connected(), 400_000
    with pytest.raises(SourceUnavailableError, match="next run continues"):
        site.take_in()
    (part,) = (site.folder / "inbox").iterdir()
    kept = part.stat().st_size
    assert 0 < kept < len(content)
    server.breaks_after, server.bytes_read = None, 0
    assert site.take_in().rows_upserted == 20_000
    assert server.bytes_read == len(content) - kept


def test_what_a_break_left_of_another_version_is_not_used(connected: Connected, server: SftpServer) -> None:
    put(server, "big.csv", tickets(*(f"T-{number:06}" for number in range(20_000))))
    site, server.breaks_after = connected(), 400_000
    with pytest.raises(SourceUnavailableError):
        site.take_in()
    put(server, "big.csv", tickets("T-9"), modified_s=1_700_000_500)
    server.breaks_after = None
    assert site.take_in().rows_upserted == 1
    assert list((site.folder / "inbox").iterdir()) == []


def test_a_file_that_grows_is_left_to_the_next_run(
    connected: Connected, server: SftpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(server, "a.csv", tickets("T-001"))

    async def meanwhile(_seconds: float) -> None:
        put(server, "a.csv", tickets("T-001", "T-002"), modified_s=1_700_000_001)

    site = connected({"settle_s": 1})
    with monkeypatch.context() as patch:
        patch.setattr(sftp.asyncio, "sleep", meanwhile)
        assert sftp.fetch_files(site.system, site.context).delivered == ()
    assert site.take_in().rows_upserted == 2


def test_a_sudden_end_after_the_rename_delivers_nothing_twice(
    connected: Connected, server: SftpServer
) -> None:
    put(server, "a.csv", tickets("T-001"))
    site = connected()
    sftp.fetch_files(site.system, site.context)
    ledger = site.context.lake.root / "sftp" / f"{SYSTEM}.json"
    ledger.unlink()  # as if the process had ended before it was written
    assert sftp.fetch_files(site.system, site.context).delivered == ()
    assert ledger.exists()
    assert [path.name for path in (site.folder / "inbox").iterdir()] == ["a.csv"]


def test_with_markers_a_file_waits_for_its_own(connected: Connected, server: SftpServer) -> None:
    put(server, "a.csv", tickets("T-001"))
    site = connected({"needs_marker": True})
    assert site.take_in().rows_upserted == 0
    put(server, "a.csv.ok", b"")
    assert site.take_in().rows_upserted == 1


def test_only_when_told_are_files_moved_and_none_is_written_over(
    connected: Connected, server: SftpServer
) -> None:
    site = connected(afterwards="move")
    for number in ("T-001", "T-002"):
        put(server, "a.csv", tickets(number))  # the same name, size and time, other content
        assert site.take_in().rows_upserted == 1
    assert [path.name for path in (server.root / "out").iterdir()] == ["done"]
    assert len(list((server.root / "out" / "done").iterdir())) == 2


def test_another_host_key_is_refused_with_both_fingerprints(connected: Connected, server: SftpServer) -> None:
    put(server, "a.csv", tickets("T-001"))
    site = connected(host_key=server.client_key.export_public_key().decode())
    with pytest.raises(PermanentError) as caught:
        site.take_in()
    for key in (server.host_key, server.client_key):
        assert key.get_fingerprint() in str(caught.value)


@pytest.mark.parametrize(
    ("own", "error", "message"),
    [
        ({"user": "stranger"}, PermanentError, "refuses the login"),
        ({"folder": "/nowhere"}, PermanentError, "check folder"),
        ({"host_key": "ssh-ed25519 nonsense"}, PermanentError, "expected OpenSSH form"),
        ({"port": 1}, SourceUnavailableError, "next run continues"),
    ],
    ids=["login", "folder", "key", "nobody"],
)
def test_a_failure_says_what_to_do_and_what_is_here_lands(
    own: dict[str, Any], error: type[Exception], message: str, connected: Connected
) -> None:
    site = connected(**own)
    site.drop("by-hand.csv", tickets("T-001"))
    with pytest.raises(error, match=message):
        site.take_in()
    assert set(site.present()) == {"T-001"}


def test_links_and_endless_files_are_told_and_others_land(connected: Connected, server: SftpServer) -> None:
    put(server, "a.csv", tickets("T-001"))
    with (server.root / "out" / "huge.csv").open("wb") as huge:
        huge.truncate(65 * 1024 * 1024)
    (server.root / "out" / "link.csv").symlink_to("a.csv")
    site = connected()
    assert site.take_in().rows_upserted == 1
    assert {f"{SYSTEM}/huge.csv", f"{SYSTEM}/link.csv"} <= set(site.findings)
    (server.root / "out" / "huge.csv").unlink()
    (server.root / "out" / "link.csv").unlink()
    site.take_in()
    assert not site.findings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sftp: {host: a, user: b, host_key: c}", "password_secret and key_secret"),
        ("sftp: {host: a, user: b, host_key: c, password_secret: d, delete: true}", "delete"),
    ],
    ids=["no-secret", "unknown-key"],
)
def test_the_site_file_is_held_to_its_shape(text: str, message: str, tmp_path: Path) -> None:
    make_file_site(tmp_path)
    path = tmp_path / "systems" / f"{SYSTEM}.yml"
    path.write_text(f"schema_version: 1\nsystem_id: {SYSTEM}\n{text}\n", encoding="utf-8")
    with pytest.raises(RegistryError, match=message):
        load_registry(tmp_path)


def test_only_a_system_of_files_is_fetched(tmp_path: Path) -> None:
    shutil.copytree(Path("reference_plant/site/systems"), tmp_path / "systems")
    (tmp_path / "systems" / "lab_manual.yml").write_text(
        "schema_version: 1\nsystem_id: lab_manual\n"
        "sftp: {host: a, user: b, host_key: c, password_secret: d}\n",
        encoding="utf-8",
    )
    with pytest.raises(RegistryError, match="not fed by files"):
        load_registry(tmp_path)
