"""Starting a site's processes: prepare what they need, run the supervisor here or detached."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from orchestration import supervisor
from orchestration.processes import UI, ProcessSpec, process_specs
from orchestration.settings import Settings

READY_WITHIN_S = 90.0
_SUPERVISE = (sys.executable, "-m", "orchestration.cli", "supervise")


class StartError(RuntimeError):
    """The platform did not come up; the message names the log to read."""


def supervise(settings: Settings, only: Sequence[str] = ()) -> None:
    """Run the supervisor of this site, or of the processes named, in this process until it is told to stop.

    What `prepare` makes must be there.

    Raises:
        StartError: a name is no process of this site.
    """
    specs = _chosen(settings, only)
    supervisor.Supervisor(
        specs,
        run_dir=settings.run_dir,
        log_dir=settings.log_dir,
        environment=settings.child_environment(),
    ).run()


def _chosen(settings: Settings, only: Sequence[str]) -> list[ProcessSpec]:
    specs = process_specs(settings)
    unknown = sorted(set(only) - {spec.name for spec in specs})
    if unknown:
        names = ", ".join(spec.name for spec in specs)
        msg = f"no process of this site is called {', '.join(unknown)}; it has {names}"
        raise StartError(msg)
    return [spec for spec in specs if not only or spec.name in only]


def prepare(settings: Settings) -> None:
    """Make what the processes expect to find: folders, state store, dbt's manifest, Dagster's home.

    Dagster's own databases are made by the first process that loads Dagster: see `orchestration.serving`.
    """
    from lake.state import migrate
    from orchestration.dagster_home import write_dagster_home
    from orchestration.dbt_manifest import ensure_manifest

    settings.var.mkdir(parents=True, exist_ok=True)
    migrate(settings.state_url, settings.lake)
    ensure_manifest()
    write_dagster_home(settings)


def start_detached(settings: Settings, only: Sequence[str] = ()) -> str:
    """Start the supervisor on its own, wait until its processes are up, return the UI's address.

    Args:
        settings: the site.
        only: names of the processes to start; all when empty.

    Raises:
        AlreadyRunningError: it runs already.
        StartError: a name is no process of this site, the UI's port is taken, or it did not answer in time.
    """
    _chosen(settings, only)  # a wrong name is told here and not in the supervisor's log
    port = settings.site.webserver_port
    if supervisor.is_running(settings.run_dir):
        msg = f"site {settings.site.site_id} is already running; see `chemlink status`"
        raise supervisor.AlreadyRunningError(msg)
    has_ui = not only or UI in only
    if has_ui and supervisor.answers(port):
        msg = f"port {port} is taken by another program; set webserver_port in site.yml to a free one"
        raise StartError(msg)
    prepare(settings)
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    with (settings.log_dir / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [*_SUPERVISE, "--site", str(settings.site_dir), *(f"--only={name}" for name in only)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=settings.child_environment(),
            start_new_session=True,
        )
    _await_start(
        settings, process, is_up=lambda: (not has_ui or supervisor.answers(port)) and _all_begun(settings)
    )
    return f"http://127.0.0.1:{port}"


def _await_start(settings: Settings, process: subprocess.Popen[bytes], *, is_up: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = settings.log_dir / "supervisor.log"
            msg = f"the supervisor ended with code {process.returncode}; read {log}"
            raise StartError(msg)
        if is_up():
            return
        time.sleep(0.25)
    msg = f"the platform was not up within {READY_WITHIN_S:.0f} s; read the logs in {settings.log_dir}"
    raise StartError(msg)


def _all_begun(settings: Settings) -> bool:
    """Whether every process was started; one that ended again is told by `status`."""
    found = supervisor.read_run(settings.run_dir)
    return bool(found) and all(child["pid"] or child["restarts"] for child in (found or {})["children"])
