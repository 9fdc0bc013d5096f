"""The business database in MariaDB: the same schemas and the same history as in PostgreSQL.

A second database shows that nothing behind the contracts knows which one it was. The server is the
machine's own `mariadbd` (tools/ensure-mariadb); it listens on loopback only, and its accounts have passwords
that only its own folder knows.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from reference_plant.business.cluster import ADMIN, HOST, ClusterError, die_with_parent
from reference_plant.business.database import READER, SCHEMAS, statement_of
from reference_plant.business.journal import Event

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 30
_SYSTEM_TABLES = ("mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql")
_SHARE = Path("/usr/share/mysql")
# PostgreSQL's words for what MariaDB calls otherwise; keys between tables are left out, the story keeps them.
_DIALECT = (
    (r"--[^\n]*", ""),
    (r"create schema (\w+)", r"create schema \1 character set utf8mb4 collate utf8mb4_bin"),
    (r"\btimestamptz\b", "timestamp(6) null"),
    (r"\btimestamp\(0\)", "datetime(0)"),
    (r"\s+references \w+\.\w+", ""),
    (r"\bnull\s+not null\b", "not null"),
)


@dataclass
class MariaDB:
    """A data directory and, while it runs, its server process."""

    data_dir: Path
    port: int
    server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the data directory where there is none, start the server and wait until it answers.

        Raises:
            ClusterError: there is no MariaDB on this machine, or it did not answer in time.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if not (self.data_dir / "mysql").is_dir():
            self._initialise()
        self._accounts.touch(mode=0o600)
        password = self._password()
        self._accounts.write_text(
            f"create user if not exists {ADMIN}@'{HOST}' identified by '{password}';\n"
            f"grant all on *.* to {ADMIN}@'{HOST}' with grant option;\n",
            encoding="utf-8",
        )
        with self._log.open("ab") as log:
            self.server = subprocess.Popen(
                [
                    *self._command(),
                    *(f"--port={self.port}", f"--bind-address={HOST}", "--skip-name-resolve"),
                    *(f"--socket={self.data_dir / 's'}", f"--pid-file={self.data_dir / 'pid'}"),
                    f"--init-file={self._accounts}",
                ],
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, signal.SIGTERM),
            )
        self._wait_ready()

    def stop(self) -> None:
        """Ask the server to end, and wait for it.

        Raises:
            ClusterError: it was still there after the time allowed.
        """
        if self.server is None:
            return
        self.server.terminate()
        try:
            self.server.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            msg = (
                f"stopping MariaDB in {self.data_dir}: still running after {_STOP_TIMEOUT_S} s; "
                f"see {self._log}, then stop process {self.server.pid} by hand"
            )
            raise ClusterError(msg) from error
        self.server = None

    def url(self, user: str, password: str) -> str:
        """Where an extract connects."""
        return f"mariadb://{user}:{password}@{HOST}:{self.port}/"

    @contextmanager
    def connect(self) -> Iterator[Any]:
        """A connection of the owner, in UTC; what is not committed is rolled back."""
        driver = importlib.import_module("pymysql")
        connection = driver.connect(
            host=HOST,
            port=self.port,
            user=ADMIN,
            password=self._password(),
            charset="utf8mb4",
            init_command="set time_zone = '+00:00'",
        )
        try:
            yield connection
        finally:
            connection.close()

    @property
    def _log(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.log")

    @property
    def _accounts(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.accounts")

    def _password(self) -> str:
        path = self.data_dir.with_name(f"{self.data_dir.name}.password")
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(18), encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def _command(self) -> list[str]:
        program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if program is None:
            msg = "looking for MariaDB: no program mariadbd; run tools/ensure-mariadb"
            raise ClusterError(msg)
        account = ["--user=root"] if os.geteuid() == 0 else []
        # A demonstration: it may lose its last moments with the machine.
        quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-log-bin"]
        return [program, "--no-defaults", f"--datadir={self.data_dir}", *account, *quick]

    def _initialise(self) -> None:
        script = ["create database mysql;", "use mysql;"]
        script += [(_SHARE / name).read_text(encoding="utf-8") for name in _SYSTEM_TABLES]
        made = subprocess.run(
            [*self._command(), "--bootstrap", "--skip-grant-tables"],
            input="\n".join(script),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            msg = f"making {self.data_dir}: exit {made.returncode}, it says {made.stderr[-800:]!r}"
            raise ClusterError(msg)

    def _wait_ready(self) -> None:
        assert self.server is not None
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.server.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
                continue
            return
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-800:]
        msg = (
            f"starting MariaDB in {self.data_dir} on port {self.port}: it does not answer; its log ends with "
            f"{tail!r}. Free the port or look at {self._log}"
        )
        raise ClusterError(msg)


def prepare(server: MariaDB, reader_password: str) -> None:
    """Schemas, the reader's account and the mark of how much history is applied; nothing when they exist."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from information_schema.schemata where schema_name = 'story'")
        if cursor.fetchone()[0]:
            return
        folder = resources.files("reference_plant.business") / "schema"
        script = [translated((folder / f"{schema}.sql").read_text(encoding="utf-8")) for schema in SCHEMAS]
        script.append(f"create user {READER}@'{HOST}' identified by {connection.escape(reader_password)};")
        script += [f"grant select on {schema}.* to {READER}@'{HOST}';" for schema in SCHEMAS]
        script.append("create schema story; create table story.applied (events bigint not null);")
        script.append("insert into story.applied values (0);")
        for statement in "\n".join(script).split(";"):
            if statement.strip():
                cursor.execute(statement)
        connection.commit()


def translated(script: str) -> str:
    """A schema of PostgreSQL in MariaDB's words."""
    for found, ours in _DIALECT:
        script = re.sub(found, ours, script)
    return script


def apply_until(server: MariaDB, events: Sequence[Event], now_utc: datetime) -> int:
    """Commit every event up to `now_utc` that is not yet in the database.

    Events of one moment are one transaction, which also moves the mark: a crash repeats nothing.

    Returns:
        How many events of the history are in the database now.
    """
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select events from story.applied")
        done = int(cursor.fetchone()[0])
        due = [event for event in events[done:] if event.at_utc <= now_utc]
        for _, moment in groupby(due, key=attrgetter("at_utc")):
            for event in moment:
                statement, values = statement_of(event)
                cursor.execute(re.sub(r"\$\d+", "%s", statement), [_written(value) for value in values])
                done += 1
            cursor.execute("update story.applied set events = %s", (done,))
            connection.commit()
    return done


def _written(value: Any) -> Any:
    """An instant in the session's zone; everything else as it is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
