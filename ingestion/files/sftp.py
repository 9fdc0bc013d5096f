"""Files of a remote folder → the system's drop folder, each version once.

A file is fetched once it stands still (and, where the layout asks for markers, once `<name>.ok` lies beside
it), written under a hidden name, given its remote time, and only then renamed. A broken transfer goes on
where it ended. On the server nothing changes unless the site says `afterwards: move`. Not supported: folders
below the folder, links.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

import asyncssh

from ingestion.context import ExtractContext
from ingestion.files.drop_folder import MARKER, DropFolder
from ingestion.files.fetched import FetchLedger, RemoteFile
from ingestion.files.layout import TableLayout, layouts_of
from ingestion.files.opening import MAX_FILE_BYTES
from ingestion.files.sftp_session import open_session
from ingestion.registry import QUARANTINE, SystemSpec
from ingestion.site_files import SftpSite
from lake.findings import Finding, close_absent, open_finding

KIND = "sftp_entry"
_BLOCK = 256 * 1024
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart")
_PREFIX, _SUFFIX = ".sftp-", ".part"


@dataclass(frozen=True)
class FetchReport:
    """What one look at the remote folder brought: names delivered, and entries that cannot be fetched."""

    delivered: tuple[str, ...]
    refused: dict[str, tuple[str, str]]


def fetch_files(system: SystemSpec, context: ExtractContext) -> FetchReport:
    """Deliver what is new in the remote folder into the inbox.

    Raises:
        PermanentError: another host key, refused login, missing folder or rights.
        SourceUnavailableError: the server did not answer or the connection broke; the next run continues.
    """
    assert system.sftp is not None, "only a system with a remote folder is fetched"
    tables = [contract.table for contract in system.tables if contract.table != QUARANTINE]
    fetch = _Fetch(
        site=system.sftp,
        inbox=DropFolder.of(system.system_id, context).inbox,
        layouts=tuple(layouts_of(system.folder, tables).values()),
        ledger=FetchLedger.of(context.lake.root / "sftp" / f"{system.system_id}.json"),
    )
    report = asyncio.run(_run(fetch, context))
    _tell(system.system_id, report, context)
    return report


@dataclass(frozen=True)
class _Fetch:
    """One look at the remote folder."""

    site: SftpSite
    inbox: Path
    layouts: tuple[TableLayout, ...]
    ledger: FetchLedger

    def layout(self, name: str) -> TableLayout:
        return next((layout for layout in self.layouts if layout.fits(name)), TableLayout())

    def remote(self, name: str) -> str:
        return f"{self.site.folder.rstrip('/') or '/'}/{name}".replace("//", "/")

    def part(self, file: RemoteFile) -> Path:
        """Where a version is written while it comes; another version has another name."""
        told = f"{file.name}\0{file.size}\0{file.modified_s}".encode(errors="surrogateescape")
        return self.inbox / f"{_PREFIX}{hashlib.sha256(told).hexdigest()[:32]}{_SUFFIX}"


async def _run(fetch: _Fetch, context: ExtractContext) -> FetchReport:
    async with open_session(fetch.site, context.secrets) as client:
        files, markers, refused = await _listing(client, fetch)
        wanted = [
            file
            for file in files
            # A moved file that is there again is another one, or could not be moved: look at its bytes.
            if (fetch.site.afterwards == "move" or not fetch.ledger.has(file))
            and (not fetch.layout(file.name).needs_marker or file.name + MARKER in markers)
        ]
        _forget_other_parts(fetch, wanted)
        wanted = await _standing_still(client, fetch, wanted)
        delivered = []
        for file in sorted(wanted, key=lambda file: (file.modified_s, file.name)):
            if await _take(client, fetch, file, has_marker=file.name + MARKER in markers):
                delivered.append(file.name)
    return FetchReport(tuple(delivered), refused)


async def _listing(
    client: asyncssh.SFTPClient, fetch: _Fetch
) -> tuple[list[RemoteFile], set[str], dict[str, tuple[str, str]]]:
    """The files wanted, the markers, and what cannot be fetched with the reason in both languages."""
    files: list[RemoteFile] = []
    markers: set[str] = set()
    refused: dict[str, tuple[str, str]] = {}
    for entry in await client.readdir(fetch.site.folder):
        name, attributes = str(entry.filename), entry.attrs
        if name.lower().endswith(MARKER):
            markers.add(name)
            continue
        if name.startswith(".") or name.lower().endswith(_UNFINISHED):
            continue
        kind = stat.S_IFMT(attributes.permissions or 0)
        if kind == stat.S_IFDIR or not fnmatchcase(name.lower(), fetch.site.pattern.lower()):
            continue
        size = attributes.size or 0
        if "/" in name or "\\" in name or "\0" in name:
            refused[name.replace("\0", "?")] = "文件名含路径分隔符", "its name holds a path"
        elif kind not in (0, stat.S_IFREG):
            refused[name] = "不是普通文件", "it is not a regular file"
        elif size > MAX_FILE_BYTES:
            limit = MAX_FILE_BYTES // 1024 // 1024
            refused[name] = f"{size} 字节，超过 {limit} MiB", f"it has {size} bytes, more than {limit} MiB"
        else:
            files.append(RemoteFile(name, size, int(attributes.mtime or 0)))
    return files, markers, refused


def _forget_other_parts(fetch: _Fetch, wanted: list[RemoteFile]) -> None:
    """Beginnings of versions that are gone from the server go too."""
    kept = {fetch.part(file) for file in wanted}
    for path in fetch.inbox.glob(f"{_PREFIX}*{_SUFFIX}"):
        if path not in kept:
            path.unlink()


async def _standing_still(
    client: asyncssh.SFTPClient, fetch: _Fetch, wanted: list[RemoteFile]
) -> list[RemoteFile]:
    """Those that did not change within the time their layout gives files to settle."""
    pauses = [fetch.layout(file.name).settle_s for file in wanted]
    if not any(pauses):
        return wanted
    await asyncio.sleep(max(pauses))
    present, _, _ = await _listing(client, fetch)
    return [file for file in wanted if file in present]


async def _take(client: asyncssh.SFTPClient, fetch: _Fetch, file: RemoteFile, *, has_marker: bool) -> bool:
    """Bring one version in; whether it is new in the inbox."""
    target, part = fetch.inbox / file.name, fetch.part(file)
    await _download(client, fetch, file, part)
    if part.stat().st_size != file.size or not await _is_unchanged(client, fetch, file):
        part.unlink()  # it changed under our hands; the next run finds the new version
        return False
    with part.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    is_new = sha256 != fetch.ledger.hash_of(file.name)
    if is_new and target.exists():
        # An earlier version waits to be taken in, or this one was renamed just before a sudden end.
        with target.open("rb") as content:
            is_new = hashlib.file_digest(content, "sha256").hexdigest() != sha256
        if is_new:
            return False
        part.unlink()
    elif is_new:
        os.utime(part, (file.modified_s, file.modified_s))
        part.rename(target)
        _sync(fetch.inbox)
    else:
        part.unlink()
    if target.exists() and has_marker and fetch.layout(file.name).needs_marker:
        target.with_name(target.name + MARKER).touch()
    fetch.ledger.note(file, sha256)
    if fetch.site.afterwards == "move":
        await _move_away(client, fetch, file, sha256, has_marker=has_marker)
    return is_new


async def _download(client: asyncssh.SFTPClient, fetch: _Fetch, file: RemoteFile, part: Path) -> None:
    """The bytes that are not here yet; those that came before a break are kept."""
    at = part.stat().st_size if part.exists() else 0
    if at > file.size:
        part.unlink()
        at = 0
    async with client.open(fetch.remote(file.name), "rb") as source:
        with part.open("ab") as sink:
            while at < file.size:
                size = min(_BLOCK, file.size - at)
                # Opened for bytes it gives bytes, whatever its annotation says.
                block = cast("bytes", await asyncio.wait_for(source.read(size, at), fetch.site.timeout_s))
                if not block:
                    break
                sink.write(block)
                at += len(block)
            sink.flush()
            os.fsync(sink.fileno())


async def _is_unchanged(client: asyncssh.SFTPClient, fetch: _Fetch, file: RemoteFile) -> bool:
    found = await client.stat(fetch.remote(file.name))
    return (found.size or 0, int(found.mtime or 0)) == (file.size, file.modified_s)


async def _move_away(
    client: asyncssh.SFTPClient, fetch: _Fetch, file: RemoteFile, sha256: str, *, has_marker: bool
) -> None:
    """Into the done folder, with letters of the hash in the name, so that no earlier file is written over."""
    done = fetch.remote(fetch.site.done_folder)
    await client.makedirs(done, exist_ok=True)
    stem, dot, ending = file.name.rpartition(".")
    kept = f"{stem}.{sha256[:12]}.{ending}" if dot and stem else f"{file.name}.{sha256[:12]}"
    for source, target in ((file.name, kept), (file.name + MARKER, kept + MARKER))[: 2 if has_marker else 1]:
        await client.posix_rename(fetch.remote(source), f"{done}/{target}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _tell(system_id: str, report: FetchReport, context: ExtractContext) -> None:
    """A finding for each entry that cannot be fetched; closed when the entry is gone."""
    now = context.clock.now()
    with context.state.begin() as connection:
        keys = [
            open_finding(
                connection, _finding(system_id, name.encode(errors="replace").decode(), why), now=now
            )
            for name, why in report.refused.items()
        ]
        close_absent(connection, KIND, keys, now=now, subject_prefix=f"{system_id}/")


def _finding(system_id: str, name: str, why: tuple[str, str]) -> Finding:
    why_zh, why_en = why
    return Finding(
        kind=KIND,
        subject=f"{system_id}/{name}",
        severity="warning",
        cause_zh=f"SFTP 目录中的 {name} 未取回：{why_zh}",
        cause_en=f"{name} on the SFTP server was not fetched: {why_en}",
        remedy_zh="请对方拆分或更名后重新放置，或移走该项",
        remedy_en="Ask its sender to split or rename it, or to take it away",
    )
