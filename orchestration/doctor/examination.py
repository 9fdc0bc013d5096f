"""The whole examination: site files, machine, flow, and the chain of what is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lake.migrations import migrate
from lake.state import StateStore
from orchestration.doctor.chain import examine_chain, read_register
from orchestration.doctor.diagnosis import Diagnosis, well, wrong
from orchestration.doctor.flow import examine_flow
from orchestration.doctor.machine import examine_machine
from orchestration.doctor.setup import examine_setup
from orchestration.findings import missing_endpoints
from orchestration.location import Location, load_location
from orchestration.services import state_store
from orchestration.settings import Settings

_NAMED = 4


def examine(settings: Settings, subject: str | None = None) -> list[Diagnosis]:
    """Look at everything, or at the chain of one tag or outlet.

    Args:
        settings: the site.
        subject: a tag or an outlet; without it the machine, the flow and every outlet.
    """
    settings.var.mkdir(parents=True, exist_ok=True)
    migrate(settings.state_url)
    location = load_location(settings)
    with state_store(settings) as state:
        if subject is not None:
            return list(examine_chain(location, state, subject))
        return [
            *_site(location),
            *examine_setup(location),
            *_mandatory(location, state),
            *examine_machine(settings, state),
            *examine_flow(location, state),
            *_outlets(location, state),
        ]


def _site(location: Location) -> Iterator[Diagnosis]:
    site = location.settings.site
    count = f"{len(location.systems)} / {len(location.reports)} / {len(location.endpoints)}"
    yield well(
        "site",
        f"{site.label_zh}：系统/报告/接收端 {count}",
        f"{site.label_en}: systems/reports/endpoints {count}",
    )


def _mandatory(location: Location, state: StateStore) -> Iterator[Diagnosis]:
    found = missing_endpoints(location, state)
    for item in found:
        yield wrong(item.subject, (item.cause_zh, item.cause_en), (item.remedy_zh, item.remedy_en))
    if not found:
        yield well("clause 6", "必需的接收端已启用", "the mandatory endpoint is active")


def _outlets(location: Location, state: StateStore) -> Iterator[Diagnosis]:
    """What is wrong along each outlet's chain, equal faults as one; the whole of it is `doctor OUTLET`."""
    settings = location.settings
    register = read_register(settings.site_dir, settings.clock.now().astimezone(settings.zone).date())
    subjects: dict[Diagnosis, list[str]] = {}
    for outlet in register.outlets:
        for diagnosis in examine_chain(location, state, outlet["outlet_id"]):
            if diagnosis.level != "ok":
                names = subjects.setdefault(replace(diagnosis, subject=""), [])
                names += [diagnosis.subject] if diagnosis.subject not in names else []
    for fault, names in subjects.items():
        more = f" … (+{len(names) - _NAMED})" if len(names) > _NAMED else ""
        yield replace(fault, subject=", ".join(names[:_NAMED]) + more)
