"""Makes a site directory of the reference plant: files, keys, secrets, ports, clock and scenarios.

What is written here describes a simulation; a real plant's site is made by `chemlink init`.
"""

from __future__ import annotations

import json
import secrets
import socket
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reference_plant.options import ZONE, PlantOptions
from reference_plant.pki import make_pki, server_uri
from reference_plant.plant.scenarios import Scenario
from reference_plant.plant.tags import namespace_uri, read_tags

TEMPLATE = Path(__file__).parent / "site"
PORTS = ("opcua_environment", "opcua_production", "province", "park", "postgres", "webserver")
FOLDERS = (
    "manual_inbox/lab_manual",
    "manual_results",
    "var/run",
    "var/log",
    "var/gateway/inbox",
    "var/plant/truth",
)
DATABASE_USER = "chemlink_reader"
DATABASE = "plant"


class SiteExistsError(Exception):
    """The directory already holds a site; nothing was changed."""


def make_site(site_dir: Path, options: PlantOptions) -> None:
    """Writes a whole site directory.

    Raises:
        SiteExistsError: the directory is not empty.
    """
    if site_dir.exists() and any(site_dir.iterdir()):
        msg = (
            f"making a reference plant in {site_dir}: the directory is not empty; choose another or empty it"
        )
        raise SiteExistsError(msg)
    scenarios = options.chosen_scenarios()
    site_dir = site_dir.resolve()
    ports = free_ports(PORTS)
    for folder in FOLDERS:
        (site_dir / folder).mkdir(parents=True, exist_ok=True)
    _copy_template(site_dir, ports, options)
    _write_json(site_dir / "plant.json", _described(options, scenarios, ports))
    write_clock(site_dir, options.live_from, options.speed)
    tables = sorted((site_dir / "tags").glob("*.csv"))
    make_pki(site_dir / "pki", {path.stem: server_uri(namespace_uri(read_tags(path))) for path in tables})
    _make_secrets(site_dir / "secrets", ports["postgres"])


def write_clock(site_dir: Path, origin_plant: datetime, speed: float, *, begins_in_s: float = 0.0) -> None:
    """Says that it is `origin_plant` in the plant now, or in a moment, and how fast time passes there."""
    clock = {
        "origin_real_utc": (datetime.now(UTC) + timedelta(seconds=begins_in_s)).isoformat(),
        "origin_plant_utc": origin_plant.astimezone(UTC).isoformat(),
        "speed": speed,
    }
    _write_json(site_dir / "clock.json", clock)


def free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """A port of this machine that is free now, for each name, all different."""
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    found = {name: opened.getsockname()[1] for name, opened in sockets.items()}
    for opened in sockets.values():
        opened.close()
    return found


def _copy_template(site_dir: Path, ports: dict[str, int], options: PlantOptions) -> None:
    values: dict[str, object] = {f"{name.upper()}_PORT": port for name, port in ports.items()}
    values |= {"SITE_DIR": site_dir, "FIRST_DATE": f"{options.history_start.astimezone(ZONE):%Y-%m-%d}"}
    values["HISTORY_START_UTC"] = options.history_start.isoformat()
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_file():
            target = site_dir / source.relative_to(TEMPLATE)
            target.parent.mkdir(parents=True, exist_ok=True)
            filled = string.Template(source.read_text(encoding="utf-8")).substitute(values)
            target.write_text(filled, encoding="utf-8")


def _described(options: PlantOptions, scenarios: list[Scenario], ports: dict[str, int]) -> dict[str, object]:
    return {
        "seed": options.seed,
        "speed": options.speed,
        "history_start_utc": options.history_start.isoformat(),
        "live_from_utc": options.live_from.astimezone(UTC).isoformat(),
        "until_utc": options.until.isoformat(),
        "scenarios": [scenario.to_json() for scenario in scenarios],
        "ports": ports,
    }


def _make_secrets(folder: Path, postgres_port: int) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    letters = string.ascii_letters + string.digits
    database_password = secrets.token_hex(16)
    url = f"postgresql://{DATABASE_USER}:{database_password}@127.0.0.1:{postgres_port}/{DATABASE}"
    found = dict.fromkeys(("erp_url", "mes_url", "wms_url", "lims_url", "qms_url"), url)
    found["postgres_reader_password"] = database_password
    found["province_hj212_password"] = "".join(secrets.choice(letters) for _ in range(6))
    found["park_hmac_key"] = secrets.token_hex(32)
    for name, value in found.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")


def _write_json(path: Path, content: object) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(path)
