"""Systems are found by looking, and a site's files are held to them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingestion.errors import PermanentError, RegistryError
from ingestion.registry import PRODUCT_SYSTEMS, SystemKind, discover_systems, load_registry

SITE = Path(__file__).parents[3] / "reference_plant" / "site"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(SITE / "systems", tmp_path / "systems")
    return tmp_path


def test_the_reference_plant_has_all_product_systems_but_those_that_send_by_themselves(site: Path) -> None:
    systems = load_registry(site)
    sending = (SystemKind.MQTT, SystemKind.HJ212)
    expected = [spec.system_id for spec in discover_systems() if spec.kind not in sending]
    assert [spec.system_id for spec in systems] == expected
    assert {spec.secret for spec in systems if spec.kind is SystemKind.SQL} == {
        "erp_url",
        "mes_url",
        "wms_url",
        "lims_url",
        "qms_url",
    }


def test_a_site_has_only_the_systems_it_names(site: Path) -> None:
    (site / "systems" / "erp_main.yml").unlink()
    assert "erp_main" not in {spec.system_id for spec in load_registry(site)}


def test_a_folder_in_the_site_is_a_system_of_the_site(site: Path) -> None:
    own = site / "systems" / "wms_south"
    shutil.copytree(PRODUCT_SYSTEMS / "wms_main", own)
    for path in own.iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("wms_main", "wms_south"), encoding="utf-8")
    (site / "systems" / "wms_south.yml").write_text(
        "schema_version: 1\nsystem_id: wms_south\nsecret: wms_south_url\n", encoding="utf-8"
    )
    (spec,) = (spec for spec in load_registry(site) if spec.system_id == "wms_south")
    assert spec.contract("lots").name == "raw_wms_south__lots"
    with pytest.raises(PermanentError, match="no table 'pallets'"):
        spec.contract("pallets")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("erp_main", "schema_version: 1\nsystem_id: erp_main\nsecret: a\nurl: x\n", "url: Extra inputs"),
        ("erp_main", "schema_version: 2\nsystem_id: erp_main\nsecret: a\n", "schema_version"),
        ("erp_main", "schema_version: 1\nsystem_id: erp_main\n", "needs the name of the secret"),
        ("lab_manual", "schema_version: 1\nsystem_id: lab_manual\nsecret: a\n", "takes no secret"),
        ("nowhere", "schema_version: 1\nsystem_id: nowhere\n", "no folder describes"),
        ("other", "schema_version: 1\nsystem_id: erp_main\nsecret: a\n", "name it erp_main.yml"),
    ],
)
def test_a_faulty_site_file_is_refused_with_the_reason(
    name: str, text: str, message: str, site: Path
) -> None:
    (site / "systems" / f"{name}.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        load_registry(site)
    assert message in str(caught.value)
    assert f"{name}.yml" in str(caught.value)


def test_two_folders_of_one_system_are_an_error(site: Path) -> None:
    shutil.copytree(PRODUCT_SYSTEMS / "wms_main", site / "systems" / "wms_main")
    with pytest.raises(RegistryError, match="described in 2 folders"):
        load_registry(site)


def test_faulty_contracts_and_system_files_are_told_together(tmp_path: Path) -> None:
    for name in ("erp_main", "mes_main"):
        shutil.copytree(PRODUCT_SYSTEMS / name, tmp_path / name)
    (tmp_path / "erp_main" / "system.yml").write_text("kind: fax\n", encoding="utf-8")
    broken = tmp_path / "mes_main" / "batches.odcs.yaml"
    broken.write_text(
        broken.read_text(encoding="utf-8").replace("classification: 一般", "classification: x", 1),
        encoding="utf-8",
    )
    with pytest.raises(RegistryError) as caught:
        discover_systems(tmp_path)
    assert "batches.odcs.yaml" in str(caught.value)
    assert "erp_main/system.yml" in str(caught.value)
