"""What a newcomer meets: a new site, its keys, and wrong input to each command, told in one message."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingestion.collector.exclusion import hold_state
from ingestion.collector.settings import load_settings as load_collector
from ingestion.collector.trust import application_uri
from ingestion.gateway.file_drop import FileDrop
from ingestion.gateway.sender import Sender
from orchestration.cli import SETTINGS_ERRORS, main
from orchestration.cli.exits import ExitCode
from orchestration.settings import load_settings
from protocols.keys import load_verify_key
from protocols.points import POINTS
from protocols.segments import write_segment

REFERENCE = Path(__file__).parents[3] / "reference_plant" / "site"
SYSTEM, STREAM = "opcua_environment", "opcua_environment.points"


@pytest.fixture
def chemlink(monkeypatch, capsys):
    """Runs the command line in this process: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["chemlink", *map(str, arguments)])
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        return int(ending.value.code or 0), out, err

    return run


@pytest.fixture
def site(tmp_path, chemlink, monkeypatch) -> Path:
    monkeypatch.delenv("CHEMLINK_SITE", raising=False)
    folder = tmp_path / "plant"
    assert chemlink("init", folder)[0] == ExitCode.OK
    return folder


@pytest.fixture
def collector(site) -> Path:
    """The new site's collector.yml with its example uncommented, as its comment says."""
    path = site / "collector.yml"
    lines = path.read_text(encoding="utf-8").replace("servers: []", "servers:").splitlines()
    begun = lines.index("servers:")
    for number in range(begun + 1, len(lines)):
        if not lines[number].startswith("#"):
            break
        lines[number] = lines[number][1:]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def seal(collector_path: Path, *numbers: int) -> None:
    settings = load_collector(collector_path)
    now = datetime(2026, 11, 16, tzinfo=UTC)
    row = {"tag_id": "A", "source_at_utc": now, "source_at_100ns": 0, "status_code": 0, "arrived_at_utc": now}
    table = pa.Table.from_pylist([row], schema=POINTS)
    for number in numbers:
        folder = settings.state_dir / SYSTEM
        write_segment(folder, STREAM, number, table, "points", {}, Ed25519PrivateKey.generate(), now)


@pytest.mark.parametrize("name", sorted(SETTINGS_ERRORS))
def test_each_error_that_means_wrong_settings_exists(name):
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


def test_a_new_site_keeps_names_that_yaml_could_misread(tmp_path, chemlink):
    folder = tmp_path / "化工厂 no. 1"
    code, _, err = chemlink("init", folder, "--label-zh", "甲: #1", "--label-en", "yes", "--park", "null")
    assert code == ExitCode.OK, err
    found = load_settings(folder).site
    assert (found.label_zh, found.label_en, found.park) == ("甲: #1", "yes", "null")


@pytest.mark.parametrize(
    "name",
    ["registers/outlets", "registers/outlet_points", "registers/outlet_limits", "mappings/code_mappings"],
)
def test_a_new_register_has_the_heading_that_its_extract_expects(site, name):
    heading = (site / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
    assert heading == (REFERENCE / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]


def test_the_example_in_the_new_collector_file_loads_when_uncommented(collector):
    settings = load_collector(collector)
    assert settings.servers[0].system_id == SYSTEM
    assert settings.pki.certificate == collector.parent / "pki" / "own" / "cert.der"
    assert settings.gateway is not None


def test_collecting_before_a_server_is_named_says_what_to_write(site, chemlink):
    code, _, err = chemlink("collect", "--config", site / "collector.yml")
    assert code == ExitCode.USAGE
    assert "uncomment the example" in err


def test_doctor_names_what_a_new_site_lacks_and_what_to_do(site, chemlink):
    (site / "systems" / "erp_main.yml").write_text(
        "schema_version: 1\nsystem_id: erp_main\nsecret: erp_url\n"
    )
    (site / "systems" / f"{SYSTEM}.yml").write_text(f"schema_version: 1\nsystem_id: {SYSTEM}\n")
    code, out, _ = chemlink("doctor", "--site", site, "--json")
    found = json.loads(out)
    wrong = {item["subject"] for item in found if item["level"] == "error"}
    assert code == ExitCode.PROBLEMS
    assert {"pki/gateway_verify.pem", "registers/outlets.csv", "system erp_main", f"system {SYSTEM}"} <= wrong
    assert all(item["remedy_zh"] and item["remedy_en"] for item in found if item["level"] != "ok")


def test_keys_are_made_once_and_fit_the_collector_and_landing(collector, chemlink):
    code, out, err = chemlink("keys", "--config", collector, "--json")
    assert code == ExitCode.OK, err
    report, pki = json.loads(out), load_collector(collector).pki
    assert len(report["made"]) == 4
    assert application_uri(pki.certificate).endswith(":chemlink:site_plant_collector")
    load_verify_key(Path(report["verify_key"]))
    assert {path.stat().st_mode & 0o777 for path in (pki.private_key, pki.sign_key)} == {0o600}
    before = pki.certificate.read_bytes()
    assert json.loads(chemlink("keys", "--config", collector, "--json")[1])["made"] == []
    assert pki.certificate.read_bytes() == before


def test_half_a_pair_of_keys_is_not_made_anew(collector, chemlink):
    chemlink("keys", "--config", collector)
    pki = load_collector(collector).pki
    pki.sign_key.unlink()
    code, _, err = chemlink("keys", "--config", collector)
    assert code == ExitCode.USAGE
    assert str(pki.sign_key) in err
    pki.private_key.unlink()
    assert str(pki.private_key) in chemlink("keys", "--config", collector)[2]


def test_segments_are_sent_again_by_number_and_absent_ones_are_told(collector, chemlink):
    chemlink("keys", "--config", collector)
    seal(collector, 1, 2, 3)
    order = ("resend", "--config", collector, "--stream", STREAM)
    assert chemlink(*order, "--from", 2, "--to", 3)[0] == ExitCode.OK
    dropped = load_collector(collector).gateway.drop_dir / STREAM
    assert sorted(path.name for path in dropped.glob("*.json")) == ["000000000002.json", "000000000003.json"]
    code, out, _ = chemlink(*order, "--from", 3, "--to", 5, "--json")
    assert code == ExitCode.PROBLEMS
    expected = {"stream": STREAM, "first": 3, "last": 5, "sent": 1, "absent": 2, "is_ordered": False}
    assert json.loads(out) == expected


def test_sending_again_refuses_wrong_orders_and_leaves_them_to_a_running_collector(collector, chemlink):
    seal(collector, 1)
    order = ("resend", "--config", collector, "--stream")
    code, _, err = chemlink(*order, "boiler.points", "--from", 1, "--to", 1)
    assert code == ExitCode.USAGE
    assert STREAM in err
    assert "1 <= from <= to" in chemlink(*order, STREAM, "--from", 2, "--to", 1)[2]
    with hold_state(load_collector(collector).state_dir, "collecting"):
        code, out, err = chemlink(*order, STREAM, "--from", 1, "--to", 1, "--json")
    assert code == ExitCode.OK, err
    assert json.loads(out)["is_ordered"]
    sender = Sender(load_collector(collector).state_dir, FileDrop(collector.parent / "drop"), 1.0)
    assert [sender.send_once(), sender.send_once()] == [2, 0]  # the segment itself, then the order


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("schema_version: 1\nendpoint_id: park_https\nstatus: activ\n", "found 'activ'"),
        ("schema_version: 1\nendpoint_id: park_https\ncolour: red\n", "colour"),
        ("status: [\n", "not readable as YAML"),
    ],
)
def test_a_wrong_endpoint_file_is_named_with_its_fault(site, chemlink, text, told):
    (site / "endpoints" / "park_https.yml").write_text(text, encoding="utf-8")
    code, _, err = chemlink("doctor", "--site", site)
    assert code == ExitCode.USAGE
    assert "park_https.yml" in err
    assert told in err
    assert "errors.pydantic.dev" not in err


def test_a_file_that_is_no_proof_is_told_so(site, chemlink):
    (site / "letter.json").write_text("hello", encoding="utf-8")
    code, _, err = chemlink("verify", site / "letter.json", "--site", site)
    assert code == ExitCode.USAGE
    assert "chemlink verify KEY --save FILE" in err


def test_a_folder_that_cannot_be_written_is_told_in_one_message(tmp_path, chemlink):
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = chemlink("init", tmp_path / "file" / "plant")
    assert code == ExitCode.USAGE
    assert "may be written to" in err


def test_a_template_of_a_table_not_filled_in_by_hand_names_those_that_are(site, chemlink, tmp_path):
    (site / "systems" / "lab_manual.yml").write_text("schema_version: 1\nsystem_id: lab_manual\n")
    code, _, err = chemlink("contract", "template", "lab", tmp_path / "x.xlsx", "--site", site)
    assert code == ExitCode.USAGE
    assert "raw_lab_manual__water_results" in err


def test_an_unknown_process_is_refused_before_anything_starts(site, chemlink):
    code, _, err = chemlink("up", "--site", site, "--only", "landing")
    assert code == ExitCode.FAILURE
    assert "it has land, dispatch, webserver, daemon" in err


def test_a_wrong_query_says_how_to_see_the_tables(site, chemlink):
    assert chemlink("catalog", "rebuild", "--site", site)[0] == ExitCode.OK
    code, _, err = chemlink("sql", "select nothing from nowhere", "--site", site)
    assert code == ExitCode.FAILURE
    assert "show all tables" in err
