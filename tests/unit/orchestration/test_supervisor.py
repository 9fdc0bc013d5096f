"""The supervisor on real processes: it starts, restarts, and ends exactly what it started."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestration import supervisor

SLEEPER = "import time; time.sleep(600)"
# Starts a process of its own and survives a polite request: only the end of the whole run ends both.
STUBBORN = (
    "import subprocess, sys, time, signal, pathlib;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "pathlib.Path(sys.argv[1]).write_text(str(c.pid)); time.sleep(600)"
)
RUN = """
import sys, json
from pathlib import Path
from orchestration import supervisor
from orchestration.processes import ProcessSpec
import os
supervisor.GRACE_S = 1.0
supervisor.FIRST_PAUSE_S = 0.2
specs = [ProcessSpec(name, tuple(command), name, name) for name, command in json.loads(sys.argv[2])]
here = Path(sys.argv[1])
supervisor.Supervisor(specs, run_dir=here / "run", log_dir=here / "log", environment=dict(os.environ)).run()
"""


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def start(folder: Path, children: dict[str, list[str]]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", RUN, str(folder), json.dumps(list(children.items()))])
    wait_for(lambda: len(pids(folder)) == len(children))
    return process


def pids(folder: Path) -> dict[str, int]:
    found = supervisor.read_run(folder / "run") or {"children": []}
    return {child["name"]: child["pid"] for child in found["children"] if child["pid"]}


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(autouse=True)
def short_grace(monkeypatch):
    monkeypatch.setattr(supervisor, "GRACE_S", 2.0)


@pytest.fixture
def bystander():
    process = subprocess.Popen([sys.executable, "-c", SLEEPER])
    yield process
    assert process.poll() is None, "a process that the supervisor had not started was ended"
    process.kill()
    process.wait()


def test_down_ends_exactly_what_up_started(tmp_path, bystander):
    run = start(tmp_path, {"a": [sys.executable, "-c", SLEEPER], "b": [sys.executable, "-c", SLEEPER]})
    children = pids(tmp_path)
    assert supervisor.is_running(tmp_path / "run")
    assert supervisor.stop(tmp_path / "run") == 3
    assert run.wait(timeout=10) == 0
    assert not any(is_alive(pid) for pid in children.values())
    assert supervisor.read_run(tmp_path / "run") is None


def test_down_after_a_crash_of_the_supervisor_ends_its_orphans_and_their_children(tmp_path, bystander):
    grandchild_file = tmp_path / "grandchild"
    run = start(tmp_path, {"stubborn": [sys.executable, "-c", STUBBORN, str(grandchild_file)]})
    wait_for(lambda: grandchild_file.is_file() and grandchild_file.read_text())
    run.send_signal(signal.SIGKILL)
    run.wait()
    orphans = [pids(tmp_path)["stubborn"], int(grandchild_file.read_text())]
    assert all(is_alive(pid) for pid in orphans)
    assert not supervisor.is_running(tmp_path / "run")
    assert supervisor.stop(tmp_path / "run") == 2
    assert not any(is_alive(pid) for pid in orphans)


def test_a_crashed_child_is_started_again_and_counted(tmp_path):
    run = start(tmp_path, {"a": [sys.executable, "-c", SLEEPER]})
    first = pids(tmp_path)["a"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: pids(tmp_path).get("a") not in (None, first))
    found = supervisor.read_run(tmp_path / "run")
    assert found is not None
    assert found["children"][0]["restarts"] == 1
    assert found["children"][0]["last_exit"] == -signal.SIGKILL
    supervisor.stop(tmp_path / "run")
    run.wait(timeout=10)


def test_pauses_before_restarts_grow(tmp_path):
    from orchestration.processes import ProcessSpec

    spec = ProcessSpec("a", (sys.executable, "-c", "raise SystemExit(7)"), "a", "a")
    run = supervisor.Supervisor([spec], run_dir=tmp_path, log_dir=tmp_path, environment=dict(os.environ))
    [child] = run.children
    pauses = []
    now = 0.0
    for _ in range(4):
        now = max(now, child.restart_at)
        assert run._tend(child, now)
        assert child.process is not None
        child.process.wait()
        assert run._tend(child, now)
        pauses.append(child.restart_at - now)
    assert pauses == [1.0, 2.0, 4.0, 8.0]
    assert child.last_exit == 7


@pytest.fixture
def port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def pair(folder: Path, port: int) -> supervisor.Supervisor:
    """A supervisor of `first`, said to listen at `port`, and of `second`, which starts after it."""
    from orchestration.processes import ProcessSpec

    first = ProcessSpec("first", (sys.executable, "-c", SLEEPER), "a", "a", port=port)
    second = ProcessSpec("second", (sys.executable, "-c", SLEEPER), "b", "b", after="first")
    return supervisor.Supervisor(
        [second, first], run_dir=folder, log_dir=folder, environment=dict(os.environ)
    )


def test_a_process_starts_once_the_one_it_follows_answers(tmp_path, port):
    run = pair(tmp_path, port)
    [second, _] = run.children
    assert not run._tend(second, run._began)
    with socket.create_server(("127.0.0.1", port)):
        assert run._tend(second, run._began)
    assert second.process is not None
    second.process.kill()
    second.process.wait()


def test_it_waits_no_longer_than_the_patience_nor_for_one_that_ended(tmp_path, port):
    run = pair(tmp_path, port)
    [second, first] = run.children
    assert run._waits(second, run._began + supervisor.PATIENCE_S - 0.1)
    assert not run._waits(second, run._began + supervisor.PATIENCE_S)
    first.restarts = 1
    assert not run._waits(second, run._began)


def test_started_again_after_a_crash_it_waits_for_nobody(tmp_path, port):
    run = pair(tmp_path, port)
    [second, _] = run.children
    second.restarts = 1
    assert not run._waits(second, run._began)


def test_a_second_supervisor_of_the_same_site_is_refused(tmp_path):
    run = start(tmp_path, {"a": [sys.executable, "-c", SLEEPER]})
    second = supervisor.Supervisor([], run_dir=tmp_path / "run", log_dir=tmp_path, environment={})
    with pytest.raises(supervisor.AlreadyRunningError, match="already running"):
        second.run()
    supervisor.stop(tmp_path / "run")
    run.wait(timeout=10)


def test_output_of_a_child_goes_to_its_log_file(tmp_path):
    run = start(tmp_path, {"a": [sys.executable, "-c", f"print('hello', flush=True); {SLEEPER}"]})
    wait_for(lambda: (tmp_path / "log" / "a.log").read_text() == "hello\n")
    supervisor.stop(tmp_path / "run")
    run.wait(timeout=10)
