from __future__ import annotations

import pytest

import transforms
from transforms.registry import ComputationError, computation, registered

DECLARATION = {
    "version": 1,
    "clause": "8.9.2.1.1",
    "label_zh": "试验",
    "label_en": "Trial",
    "outputs": {"y": "1"},
    "source": "a rule",
    "metrics": {"error": "0"},
}


def test_every_formula_of_annex_d_is_in_the_register_with_clause_units_source_and_metrics() -> None:
    entries = {entry.computation_id: entry for entry in registered()}
    for number in (18, 19, 20, 21, 22, 28, 30, 31, 33):
        assert any(f"({number})" in entry.source for entry in entries.values()), f"formula ({number})"
    for entry in entries.values():
        assert entry.clause
        assert entry.inputs
        assert entry.outputs
        assert entry.metrics
        assert entry.label_zh != entry.label_en
    assert transforms.registered() == registered()


def test_a_repeated_id_is_refused_and_the_message_names_who_has_it() -> None:
    with pytest.raises(ComputationError, match="already belongs to to_dry_basis"):

        @computation("gas_dry_basis", inputs={"x": "1"}, **DECLARATION)
        def trial(x: float) -> float:
            return x


def test_a_parameter_without_a_unit_is_refused() -> None:
    with pytest.raises(ComputationError, match=r"expected one for each of \['x', 'z'\]"):

        @computation("trial_without_unit", inputs={"x": "1"}, **DECLARATION)
        def trial(x: float, z: float) -> float:
            return x + z

    assert "trial_without_unit" not in {entry.computation_id for entry in registered()}
