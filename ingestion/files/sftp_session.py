"""A session with an SFTP server whose key is pinned; its failures told as ours.

Nothing of the account's own SSH configuration, agent or known hosts is used: the site's file says all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncssh

from ingestion.errors import IngestionError, PermanentError, SourceUnavailableError
from ingestion.site_files import SftpSite

_SILENT_S = 15


@asynccontextmanager
async def open_session(site: SftpSite, secrets: Callable[[str], str]) -> AsyncIterator[asyncssh.SFTPClient]:
    """The remote file system, until the block ends.

    Raises:
        PermanentError: another host key, refused credentials, no such folder, no right.
        SourceUnavailableError: nobody answered, or the connection broke.
    """
    where = f"{site.user}@{site.host}:{site.port}"
    try:
        pinned = asyncssh.import_public_key(site.host_key)
        keys = [asyncssh.import_private_key(secrets(site.key_secret))] if site.key_secret else None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        msg = (
            f"SFTP {where}: host_key or the secret of key_secret cannot be read ({error}); "
            "expected OpenSSH form without passphrase"
        )
        raise PermanentError(msg) from error
    try:
        async with (
            asyncssh.connect(
                site.host,
                site.port,
                username=site.user,
                password=secrets(site.password_secret) if site.password_secret else None,
                client_keys=keys,
                agent_path=None,
                config=[],
                known_hosts=([pinned], [], []),
                connect_timeout=site.timeout_s,
                login_timeout=site.timeout_s,
                keepalive_interval=_SILENT_S,
            ) as connection,
            connection.start_sftp_client(path_errors="surrogateescape") as client,
        ):
            yield client
    except asyncssh.HostKeyNotVerifiable as error:
        raise PermanentError(await _other_key(site, pinned, where)) from error
    except (OSError, asyncssh.Error, TimeoutError) as error:
        raise _as_ours(error, where, site) from error


async def _other_key(site: SftpSite, pinned: asyncssh.SSHKey, where: str) -> str:
    try:
        found = await asyncio.wait_for(asyncssh.get_server_host_key(site.host, site.port), site.timeout_s)
    except (OSError, asyncssh.Error, TimeoutError):
        found = None
    shown = f"{found.get_algorithm()} {found.get_fingerprint()}" if found else "another one"
    return (
        f"SFTP {where}: the server shows host key {shown}, expected {pinned.get_algorithm()} "
        f"{pinned.get_fingerprint()}. Ask its owner whether the key was changed; only then correct host_key"
    )


def _as_ours(error: Exception, where: str, site: SftpSite) -> IngestionError:
    if isinstance(error, asyncssh.PermissionDenied):
        return PermanentError(f"SFTP {where}: the server refuses the login ({error}); check user and secret")
    if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPPermissionDenied | asyncssh.SFTPNoSuchPath):
        return PermanentError(
            f"SFTP {where}: {error} in {site.folder!r}; check folder, done_folder and the account's rights"
        )
    told = str(error) or type(error).__name__
    return SourceUnavailableError(f"SFTP {where}: {told}; the next run continues")
