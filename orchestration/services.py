"""What each lower package is given, made from the settings: values only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.state import StateStore, open_state
from orchestration.settings import Settings

if TYPE_CHECKING:
    from exports.site import ExportSite
    from ingestion.context import ExtractContext
    from ingestion.landing_spec import LandingSpec


@contextmanager
def state_store(settings: Settings) -> Iterator[StateStore]:
    """The site's state store, closed afterwards."""
    state = open_state(settings.state_url, settings.clock.now)
    try:
        yield state
    finally:
        state.close()


def extract_context(
    settings: Settings, state: StateStore, run_id: str, *, accept_shrink: bool = False
) -> ExtractContext:
    """What an extract may use."""
    from ingestion.context import ExtractContext

    return ExtractContext(
        lake=settings.lake,
        state=state,
        secrets=settings.secrets,
        clock=settings.clock,
        site_dir=settings.site_dir,
        run_id=run_id,
        accept_shrink=accept_shrink,
    )


def landing_spec(settings: Settings, state: StateStore) -> LandingSpec:
    """What landing must be told."""
    from ingestion.landing_spec import LandingSpec
    from ingestion.outlets import read_outlets
    from protocols.keys import load_verify_key

    today = settings.clock.now().astimezone(settings.zone).date()
    return LandingSpec(
        inbox=settings.var / "gateway" / "inbox",
        verify_key=load_verify_key(settings.site_dir / "pki" / "gateway_verify.pem"),
        lake=settings.lake,
        state=state,
        clock=settings.clock,
        zone=settings.zone,
        outlets=read_outlets(settings.site_dir / "registers", on=today),
    )


def export_site(settings: Settings, state: StateStore) -> ExportSite:
    """The plant as its exports see it."""
    from exports.secrets import SiteSecrets
    from exports.site import ExportSite, load_devices

    return ExportSite(
        site_id=settings.site.site_id,
        root=settings.site_dir,
        zone=settings.zone,
        environment=settings.environment,
        lake=settings.lake,
        state=state,
        clock=settings.clock,
        secrets=SiteSecrets(settings.secrets.folder, settings.secrets.overrides()),
        devices=load_devices(settings.site_dir / "registers" / "outlets.csv"),
    )
