"""Which links out of the control zone are findings on a day (10.3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from orchestration.acquisition_findings import judge_links

TODAY = date(2026, 11, 16)


def link(**changed: Any) -> dict[str, Any]:
    row = {
        "link_id": "L-1",
        "link_name_zh": "控制区至平台",
        "link_name_en": "control zone to platform",
        "from_zone_code": "control",
        "to_zone_code": "business",
        "direction_code": "one_way",
        "is_zone_crossing": True,
        "passes_device_id": "GAP-01",
        "certificate_no": "C-1",
        "certificate_from_date": date(2025, 1, 1),
        "certificate_to_date": date(2030, 1, 1),
        "valid_from_date": date(2026, 1, 1),
        "valid_to_date": date(9999, 12, 31),
    }
    return row | changed


NO_CERTIFICATE = {"certificate_no": None, "certificate_from_date": None, "certificate_to_date": None}


@pytest.mark.parametrize(
    ("changed", "severity", "named"),
    [
        ({"passes_device_id": None, **NO_CERTIFICATE}, "error", "no one-way isolation gateway"),
        ({"direction_code": "two_way"}, "error", "two-way"),
        (NO_CERTIFICATE, "error", "no certificate for this link"),
        ({"certificate_to_date": TODAY}, "error", "C-1 does not hold today"),
        ({"certificate_from_date": TODAY + timedelta(days=1)}, "error", "C-1 does not hold today"),
        ({"certificate_to_date": TODAY + timedelta(days=60)}, "warning", "ends in 60 days"),
    ],
)
def test_a_path_without_a_device_certified_today_is_a_finding_in_both_languages(
    changed: dict[str, Any], severity: str, named: str
) -> None:
    (finding,) = judge_links([link(**changed)], TODAY)
    assert (finding.kind, finding.subject, finding.severity) == ("unguarded_link", "L-1", severity)
    assert named in finding.cause_en
    assert "链路 L-1" in finding.cause_zh


@pytest.mark.parametrize(
    "rows",
    [
        [link()],
        [link(certificate_no="OLD", certificate_to_date=date(2026, 1, 1)), link()],
        [link(is_zone_crossing=False, passes_device_id=None)],
        [link(valid_to_date=TODAY, passes_device_id=None)],
        [link(valid_from_date=TODAY + timedelta(days=1), passes_device_id=None)],
    ],
    ids=["certified", "renewed", "inside", "removed", "not yet built"],
)
def test_a_guarded_or_absent_path_is_none(rows: list[dict[str, Any]]) -> None:
    assert not list(judge_links(rows, TODAY))
