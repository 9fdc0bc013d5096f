"""Keeps a site's processes running: starts them, restarts crashed ones after growing pauses, ends them.

It knows nothing of what the processes do. The run file (`var/run/supervisor.json`) names the run and its
children; the lock beside it is held as long as the supervisor lives, so a crash releases it by itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from orchestration.processes import ProcessSpec
from orchestration.settings import RUN_ID_VARIABLE

POLL_S = 0.25
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
HEALTHY_AFTER_S = 60.0  # a process that lived this long starts again with the first pause
GRACE_S = 15.0  # between asking a process to end and ending it
PATIENCE_S = 20.0  # that a process has with the one it starts after: no UI is worth data that wait


class AlreadyRunningError(RuntimeError):
    """A supervisor of this site is already alive."""


@dataclass
class Child:
    """One supervised process: the specification, and what has become of it."""

    spec: ProcessSpec
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    pause_s: float = FIRST_PAUSE_S
    restart_at: float = 0.0
    last_exit: int | None = None

    def as_record(self) -> dict[str, Any]:
        """What the run file keeps of it."""
        alive = self.process is not None and self.process.poll() is None
        pid = self.process.pid if self.process and alive else None
        return {"name": self.spec.name, "pid": pid, "restarts": self.restarts, "last_exit": self.last_exit}


class Supervisor:
    """Runs `specs` until told to stop."""

    def __init__(
        self, specs: Sequence[ProcessSpec], *, run_dir: Path, log_dir: Path, environment: Mapping[str, str]
    ) -> None:
        self.children = [Child(spec) for spec in specs]
        self.run_dir = run_dir
        self.log_dir = log_dir
        self.run_id = uuid.uuid4().hex
        self._environment = {**environment, RUN_ID_VARIABLE: self.run_id}
        self._began = time.monotonic()
        self._stopping = False

    def run(self) -> None:
        """Start everything, keep it running until SIGTERM or SIGINT, then end it.

        Raises:
            AlreadyRunningError: another supervisor of this site holds the lock.
        """
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir.mkdir(parents=True, exist_ok=True)
        with _lock(self.run_dir, patience_s=2.0):
            end_run(self.run_dir)  # what a crashed supervisor left behind
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            try:
                self._loop()
            finally:
                self._end_children()
                _run_file(self.run_dir).unlink(missing_ok=True)

    def _stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _loop(self) -> None:
        while not self._stopping:
            changes = [self._tend(child, time.monotonic()) for child in self.children]
            if any(changes):
                self._write_run_file()
            time.sleep(POLL_S)

    def _tend(self, child: Child, now: float) -> bool:
        """Start the child when it is due, note its end when it ended; True when something changed."""
        if child.process is None:
            if now < child.restart_at or self._waits(child, now):
                return False
            self._start(child, now)
            return True
        code = child.process.poll()
        if code is None:
            return False
        if now - child.started_at > HEALTHY_AFTER_S:
            child.pause_s = FIRST_PAUSE_S
        child.process, child.last_exit = None, code
        child.restart_at = now + child.pause_s
        child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
        child.restarts += 1
        return True

    def _waits(self, child: Child, now: float) -> bool:
        """Whether the child still has to wait for the one it starts after: it has not answered yet.

        Nobody waits for one that is not there or has ended, nor longer than the patience, nor a second time.
        """
        others = [other for other in self.children if other.spec.name == child.spec.after]
        return (
            not child.restarts
            and now - self._began < PATIENCE_S
            and any(not other.restarts and not _is_up(other.spec) for other in others)
        )

    def _start(self, child: Child, now: float) -> None:
        with (self.log_dir / f"{child.spec.name}.log").open("ab") as log:
            child.process = subprocess.Popen(
                child.spec.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,  # a signal to us does not reach it: we end it in our own order
            )
        child.started_at = now

    def _end_children(self) -> None:
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for child in self.children:
            if child.process is not None:
                _wait(child.process, deadline)
        _end_processes(_processes_of(self.run_id))  # what children themselves had started

    def _write_run_file(self) -> None:
        record = {
            "run_id": self.run_id,
            "pid": os.getpid(),
            "children": [child.as_record() for child in self.children],
        }
        path = _run_file(self.run_dir)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(record, indent=1), encoding="utf-8")
        new.replace(path)


def answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_running(run_dir: Path) -> bool:
    """Whether a supervisor of this site is alive now."""
    try:
        with _lock(run_dir):
            return False
    except AlreadyRunningError:
        return True
    except FileNotFoundError:
        return False


def read_run(run_dir: Path) -> dict[str, Any] | None:
    """The run file's content, or None when nothing was started."""
    path = _run_file(run_dir)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def stop(run_dir: Path) -> int:
    """End the run of this site, by its supervisor or, after a crash, by the mark its processes carry.

    Returns:
        How many processes were ended, the supervisor included.
    """
    found = read_run(run_dir)
    if found is None:
        return 0
    ended = 0
    if is_running(run_dir):
        ended = 1 + sum(child["pid"] is not None for child in found["children"])
        os.kill(found["pid"], signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S * 2
        while is_running(run_dir) and time.monotonic() < deadline:
            time.sleep(POLL_S)
    return ended + end_run(run_dir)


def end_run(run_dir: Path) -> int:
    """End whatever still runs of the run that the run file names; returns how many processes that were."""
    found = read_run(run_dir)
    if found is None:
        return 0
    left = _processes_of(found["run_id"])
    _end_processes(left)
    _run_file(run_dir).unlink(missing_ok=True)
    return len(left)


def _processes_of(run_id: str) -> list[psutil.Process]:
    """Processes that carry this run's mark in their environment: ours, and nobody else's."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(RUN_ID_VARIABLE) == run_id:
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue  # another user's, or gone meanwhile: not of this run
    return found


def _end_processes(processes: list[psutil.Process]) -> None:
    for process in processes:
        if process.is_running():
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=GRACE_S)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=GRACE_S)


def _is_up(spec: ProcessSpec) -> bool:
    return spec.port is None or answers(spec.port)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _run_file(run_dir: Path) -> Path:
    return run_dir / "supervisor.json"


@contextmanager
def _lock(run_dir: Path, patience_s: float = 0.0) -> Iterator[IO[bytes]]:
    """Hold the supervisor's lock; patience outlasts a `status` that looks at the lock for an instant."""
    deadline = time.monotonic() + patience_s
    with (run_dir / "supervisor.lock").open("ab") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    msg = f"{run_dir}: a supervisor of this site is already running; see `chemlink status`"
                    raise AlreadyRunningError(msg) from error
                time.sleep(0.05)
        yield handle
