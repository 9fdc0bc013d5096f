"""Contract files are read strictly, and every fault is told at once with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.consistency import dangling_references
from contracts.errors import ContractError
from contracts.loading import load_contract, load_contracts
from contracts.model import ExtractMode

GOOD = """apiVersion: v3.2.0
kind: DataContract
id: demo.tanks
version: 1.2.0
dataProduct: demo
domain: 生产
team: {name: production}
authoritativeDefinitions:
  - {type: clause, url: "DB32/T 4765-2024#8.3.4"}
slaProperties:
  - {property: frequency, value: 5, unit: m}
  - {property: retention, value: 30, unit: d}
schema:
  - name: tanks
    physicalName: dbo.TANK
    businessName: Tanks
    synonyms: [{synonym: 储罐, locale: zh-CN}]
    description: Tanks of the site.
    dataGranularityDescription: one tank
    customProperties:
      - {property: extractMode, value: snapshot_diff}
    properties:
      - name: tank_id
        physicalName: TANK_NO
        logicalType: string
        businessName: Tank
        synonyms: [{synonym: 储罐编号, locale: zh-CN}]
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般
      - name: volume_m3
        logicalType: number
        physicalType: numeric(9,2)
        logicalTypeOptions: {minimum: 0, maximum: 5000}
        businessName: Volume
        synonyms: [{synonym: 容积, locale: zh-CN}]
        classification: 重要
        customProperties: [{property: unit, value: m3}]
      - name: medium_code
        logicalType: string
        businessName: Medium
        synonyms: [{synonym: 介质, locale: zh-CN}]
        classification: 核心
        customProperties: [{property: category, value: 研发}]
        enum:
          - {value: NH3, label: Ammonia, customProperties: [{property: labelZh, value: 液氨}]}
"""

# What is changed in the good contract, what the message must say, and the line it must name.
FAULTS = {
    "unknown key": ("version: 1.2.0", "version: 1.2.0\nowner: me", "'owner' was unexpected", None),
    "unknown column key": (
        "logicalType: string\n        businessName: Medium",
        "logicalTyp: x\n        businessName: Medium",
        "logicalTyp",
        40,
    ),
    "key twice": ("domain: 生产", "domain: 生产\ndomain: 管理", "'domain' is written twice", 7),
    "no Chinese label": (
        "synonyms: [{synonym: 容积, locale: zh-CN}]",
        "description: x",
        "no Chinese label",
        32,
    ),
    "no English label": ("        businessName: Volume\n", "", "English label is missing", 32),
    "no unit": ("        customProperties: [{property: unit, value: m3}]\n", "", "a number needs either", 32),
    "unit on text": (
        "{property: category, value: 研发}",
        "{property: unit, value: kg}",
        "only numbers have a unit",
        40,
    ),
    "grade": (
        "classification: 重要",
        "classification: secret",
        "expected one of ['一般', '重要', '核心']",
        38,
    ),
    "category": ("value: 研发}", "value: 其他}", "category: expected one of", 40),
    "domain": ("domain: 生产", "domain: 其他", "category of 7.2.2 a", 6),
    "owner": ("team: {name: production}", "team: {description: x}", "owner is missing", 7),
    "mode": ("value: snapshot_diff", "value: guess", "extractMode: expected one of", 14),
    "cursor without column": ("value: snapshot_diff", "value: cursor", "do not agree", 14),
    "retention": ("  - {property: retention, value: 30, unit: d}\n", "", "no retention", 11),
    "period unit": (
        "value: 5, unit: m",
        "value: 5, unit: fortnight",
        "frequency: expected a whole number",
        11,
    ),
    "no key": ("        primaryKey: true\n        primaryKeyPosition: 1\n", "", "a key is required", 14),
    "null in key": ("        required: true\n", "", "must be required: true", 23),
    "code label": (", customProperties: [{property: labelZh, value: 液氨}]", "", "labelZh", 47),
    "unknown property": (
        "{property: unit, value: m3}",
        "{property: einheit, value: m3}",
        "unknown customProperty 'einheit'",
        39,
    ),
    "range": ("minimum: 0, maximum: 5000", "minimum: 10, maximum: 5", "is above maximum", 32),
    "id": ("id: demo.tanks", "id: demo.tank", "expected 'demo.tanks'", 3),
    "name twice": ("name: medium_code", "name: volume_m3", "is declared 2 times", 32),
    "bookkeeping name": ("name: medium_code", "name: _medium", "kept for bookkeeping", 40),
    "unit nobody knows": ("value: m3}", "value: cubits}", "unknown unit 'cubits'", 32),
    "unit in other letters": ("value: m3}", "value: M3}", "did you mean 'm3'?", 32),
    "unit missing from the name": ("name: volume_m3", "name: volume", "end its name in _m3", 32),
    "code type nobody knows": (
        "{property: category, value: 研发}",
        "{property: codeType, value: flavour}",
        "unknown codeType 'flavour'",
        40,
    ),
    "code list without its ending": ("name: medium_code", "name: medium", "end its name in _code", 40),
    "capital letters": ("name: volume_m3", "name: Volume_m3", "expected small letters", 32),
    "instant without its ending": (
        "logicalType: string\n        businessName: Medium",
        "logicalType: timestamp\n        businessName: Medium",
        "end its name in _at_utc",
        40,
    ),
    "truth without its beginning": (
        "logicalType: string\n        businessName: Medium",
        "logicalType: boolean\n        businessName: Medium",
        "begin its name with is_ or has_",
        40,
    ),
    "label in the wrong language": ("synonym: 容积,", "synonym: Volume,", "holds no Chinese", 32),
    "placeholder": ("businessName: Volume", "businessName: TODO", "still a placeholder", 36),
    "logical type": (
        "logicalType: string\n        businessName: Medium",
        "logicalType: array\n        businessName: Medium",
        "logicalType: expected one of",
        40,
    ),
}


def write(folder: Path, text: str, name: str = "tanks") -> Path:
    path = folder / f"{name}.odcs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_contract_says_what_the_standard_says(tmp_path: Path) -> None:
    contract = load_contract(write(tmp_path, GOOD))
    assert contract.name == "raw_demo__tanks"
    assert (contract.label_zh, contract.label_en) == ("储罐", "Tanks")
    assert contract.mode is ExtractMode.SNAPSHOT_DIFF
    assert (contract.cadence_s, contract.retention_days) == (300, 30)
    assert contract.clauses == ("DB32/T 4765-2024#8.3.4",)
    assert contract.primary_key == ("tank_id",)
    volume, medium = contract.column("volume_m3"), contract.column("medium_code")
    assert (volume.unit, volume.minimum, volume.maximum) == ("m3", 0, 5000)
    assert (volume.category, medium.category) == ("生产", "研发")
    assert (medium.grade, medium.codes[0].label_zh) == ("核心", "液氨")
    assert contract.column("tank_id").source_name == "TANK_NO"


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_is_told_with_file_and_line(case: str, tmp_path: Path) -> None:
    old, new, message, line = FAULTS[case]
    assert GOOD.count(old) >= 1
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    fitting = [fault for fault in caught.value.faults if message in fault.message]
    assert fitting, str(caught.value)
    assert all(fault.path == path for fault in fitting)
    if line is not None:
        assert line in {fault.line for fault in fitting}, str(caught.value)


def test_all_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    text = GOOD.replace("classification: 重要", "classification: x").replace("unit: m}", "unit: x}")
    write(tmp_path, text, "first")
    write(tmp_path, text.replace("domain: 生产", "domain: x"), "second")
    with pytest.raises(ContractError) as caught:
        load_contracts(tmp_path)
    assert len(caught.value.faults) == 5
    assert {fault.path.name for fault in caught.value.faults} == {"first.odcs.yaml", "second.odcs.yaml"}


def test_a_broken_standard_does_not_hide_the_breaches_of_our_own_rules(tmp_path: Path) -> None:
    text = GOOD.replace("version: 1.2.0", "version: 1.2.0\nowner: me").replace("value: m3}", "value: cubits}")
    text = text.replace("classification: 核心", "classification: secret").replace("domain: 生产", "domain: x")
    with pytest.raises(ContractError) as caught:
        load_contract(write(tmp_path, text))
    told = str(caught.value)
    for part in ("'owner' was unexpected", "unknown unit 'cubits'", "found 'secret'", "found 'x'"):
        assert part in told


def test_a_reference_that_leads_nowhere_is_told_with_its_line(tmp_path: Path) -> None:
    refers = "{property: references, value: demo.tanks.%s}"
    for name in ("tank_id", "colour"):
        text = GOOD.replace("{property: category, value: 研发}", refers % name)
        contract = load_contract(write(tmp_path, text))
        faults = dangling_references([contract], [contract])
        assert [fault.line for fault in faults] == ([] if name == "tank_id" else [40])
        assert all("'demo.tanks.tank_id'" in fault.message for fault in faults)


def test_two_files_of_one_table_are_refused(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "first")
    write(tmp_path, GOOD, "second")
    with pytest.raises(ContractError, match="described by 2 files"):
        load_contracts(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"a: [", b"\xff\xfe", b"just text"])
def test_what_is_no_yaml_mapping_is_a_fault_and_no_crash(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.odcs.yaml"
    path.write_bytes(content)
    with pytest.raises(ContractError):
        load_contract(path)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load_contract(path).version == "1.2.0"
    path.write_text(GOOD.replace("1.2.0", "1.3.0-b"), encoding="utf-8")
    assert load_contract(path).version == "1.3.0-b"
