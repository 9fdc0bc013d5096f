"""A real SFTP server on this machine, in a thread: one folder, one account, breaking off when told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "plant", "open sesame"


class SftpServer:
    """The server.

    Attributes:
        root: what the account sees as `/`.
        bytes_read: how many bytes were sent so far.
        breaks_after: the connection is cut after so many bytes; None for never.
        host_key: what it identifies itself with.
        client_key: the private key that the account may log in with.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bytes_read = 0
        self.breaks_after: int | None = None
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.port = 0

    @property
    def public_host_key(self) -> str:
        return self.host_key.export_public_key().decode().strip()

    async def listen(self) -> asyncssh.SSHAcceptor:
        rig = self

        class Account(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == (USER, PASSWORD)

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return key == rig.client_key.convert_to_public()

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                super().__init__(channel, chroot=str(rig.root).encode())
                self._connection = channel.get_connection()

            def read(self, file_obj: Any, offset: int, size: int) -> Any:
                if rig.breaks_after is not None and rig.bytes_read >= rig.breaks_after:
                    self._connection.abort()
                    return b""
                content = super().read(file_obj, offset, size)
                rig.bytes_read += len(content)
                return content

        return await asyncssh.create_server(
            Account, "127.0.0.1", 0, server_host_keys=[self.host_key], sftp_factory=Files
        )


@contextmanager
def sftp_server(root: Path) -> Iterator[SftpServer]:
    """The server while the block runs."""
    server, loop = SftpServer(root), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    acceptor = asyncio.run_coroutine_threadsafe(server.listen(), loop).result(10)
    server.port = acceptor.get_port()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
