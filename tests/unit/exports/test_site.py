from __future__ import annotations

from pathlib import Path

import pytest

from exports.errors import SpecError
from exports.site import load_devices

REGISTER = Path(__file__).parents[3] / "reference_plant/site/registers/outlets.csv"


def test_every_outlet_of_the_reference_plant_has_a_device_and_a_person() -> None:
    devices = load_devices(REGISTER)
    assert set(devices) == {"DA001", "DA002", "DW001", "YS001"}
    assert {device.st_code for device in devices.values()} == {"31", "32"}
    assert all(len(device.mn) == 24 and device.responsible_person for device in devices.values())


def test_a_site_without_a_register_has_no_devices(tmp_path: Path) -> None:
    assert load_devices(tmp_path / "outlets.csv") == {}


def test_a_register_without_device_numbers_is_refused_by_column(tmp_path: Path) -> None:
    (tmp_path / "outlets.csv").write_text("outlet_id,st_code,responsible_person_name\nDA001,31,周敏\n")
    with pytest.raises(SpecError, match="'mn'"):
        load_devices(tmp_path / "outlets.csv")
