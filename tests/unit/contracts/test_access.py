"""Category and grade decide who sees a column; the strictest of its sources counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.access import DataClass, Role, Treatment, load_roles
from contracts.errors import ContractError
from contracts.vocabulary import category_scheme, grade_scheme

SHOW, MASK, HIDE = Treatment
OWN = """schema_version: 1
roles:
  - {role_id: a, label_zh: 甲, label_en: A, sees: {生产: 核心}, personal: hide}
"""


def role(**changes: object) -> Role:
    values = {
        "role_id": "r",
        "label_zh": "角色",
        "label_en": "Role",
        "sees": {"生产": "一般"},
        "personal": "mask",
    }
    return Role.model_validate(values | changes)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([DataClass("生产", "一般")], SHOW),
        ([DataClass("生产", "重要")], MASK),
        ([DataClass("生产", "核心")], HIDE),
        ([DataClass("管理", "一般")], HIDE),
        ([DataClass("生产", "一般", True)], MASK),
        ([DataClass("生产", "核心", True)], HIDE),
        ([DataClass("生产", "一般"), DataClass("生产", "重要")], MASK),
        ([DataClass("生产", "一般"), DataClass("管理", "一般")], HIDE),
        ([], SHOW),
    ],
    ids=str,
)
def test_the_strictest_class_decides(classes: list[DataClass], expected: Treatment) -> None:
    assert role().treatment(classes) is expected


def test_a_grade_that_is_seen_shows_everything_below_it() -> None:
    for grade in grade_scheme().values:
        assert role(sees={"生产": "核心"}).treatment([DataClass("生产", grade)]) is SHOW


def test_personal_data_follows_the_role_where_the_grade_would_show_it() -> None:
    personal = [DataClass("生产", "一般", True)]
    found = [role(personal=name).treatment(personal) for name in ("show", "mask", "hide")]
    assert found == [SHOW, MASK, HIDE]


def test_the_product_has_a_role_that_sees_all_and_one_that_sees_no_person() -> None:
    steward, *_, outside = load_roles(None)
    everything = [DataClass(c, g, True) for c in category_scheme().values for g in grade_scheme().values]
    assert {steward.treatment([entry]) for entry in everything} == {SHOW}
    assert {outside.treatment([entry]) for entry in everything} == {HIDE}


def test_a_site_lays_its_own_roles_over_the_products(tmp_path: Path) -> None:
    assert load_roles(tmp_path) == load_roles(None)
    (tmp_path / "access.yml").write_text(OWN, encoding="utf-8")
    assert [found.role_id for found in load_roles(tmp_path)] == ["a"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("核心", "绝密", "expected"),
        ("personal: hide", "personal: sell", "'mask'"),
        ("sees", "saw", "Extra inputs"),
    ],
)
def test_a_faulty_role_is_told_with_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "access.yml").write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        load_roles(tmp_path)
    assert said in str(caught.value)
    assert {fault.line for fault in caught.value.faults} == {3}


def test_both_schemes_name_their_document_and_how_sure_we_are() -> None:
    for scheme in (category_scheme(), grade_scheme()):
        assert scheme.document
        assert scheme.title_zh
        assert scheme.mark in {"verified", "memory"}
