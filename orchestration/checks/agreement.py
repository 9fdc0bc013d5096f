"""Whether what was sent in real time agrees with the marts, which are authoritative."""

from datetime import datetime, time, timedelta

import dagster as dg
from sqlalchemy import select

from lake import tables
from lake.state import utc_text
from lake.state_tables import stream_observations
from orchestration.labels import bilingual
from orchestration.location import Location
from orchestration.partitions import plant_today
from orchestration.services import state_store
from quality_checks.reconciliation import Reconciliation, reconcile_stream

AGREEMENT_CHECK = "agrees_with_real_time_values"
# The marts that hold the statistical periods: minutes of air, ten minutes of air and water.
PERIODS = {
    "fct_monitoring_minute": timedelta(minutes=1),
    "fct_monitoring_ten_minute": timedelta(minutes=10),
}
_SHOWN = 10


def agreement_checks(location: Location) -> list[dg.AssetChecksDefinition]:
    """One check for each mart of statistical periods."""
    return [_agrees(location, mart, length) for mart, length in PERIODS.items()]


def _agrees(location: Location, mart: str, length: timedelta) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["marts", mart],
        name=AGREEMENT_CHECK,
        description=bilingual(
            "实时上报的数值应在同时段样本的最小值与最大值之间；不符时以本表为准",
            "Values sent in real time lie between least and greatest sample; where not, this table holds.",
        ),
    )
    def agrees() -> dg.AssetCheckResult:
        found = _reconcile(location, mart, length)
        return dg.AssetCheckResult(
            passed=not found.disagreements,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "compared": found.compared,
                "disagreements": len(found.disagreements),
                "examples": "\n".join(map(str, found.disagreements[:_SHOWN])) or "—",
            },
        )

    return agrees


def _reconcile(location: Location, mart: str, length: timedelta) -> Reconciliation:
    """Yesterday and today of the plant: earlier days were compared when they were these."""
    settings = location.settings
    path = settings.lake.table("marts", mart)
    if not tables.exists(path):
        return Reconciliation(0, ())
    first = plant_today(settings) - timedelta(days=1)
    since = utc_text(datetime.combine(first, time(), settings.zone))
    with state_store(settings) as state, state.read() as connection:
        wanted = select(stream_observations).where(stream_observations.c.observed_at_utc >= since)
        observations = [dict(row) for row in connection.execute(wanted).mappings()]
    periods = tables.read(path, filters=[("plant_date", ">=", first)])
    return reconcile_stream(observations, periods, length=length)
