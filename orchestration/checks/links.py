"""Whether every sender behind the gateway is heard, as a check of the table of links."""

from datetime import UTC, datetime

import dagster as dg

from ingestion.gateway.links import Link, links
from orchestration.labels import bilingual
from orchestration.location import Location
from orchestration.services import state_store

LINKS_KEY = dg.AssetKey(["ops", "ops_gateway_links"])
ALIVE_CHECK = "links_are_alive"


def link_checks(location: Location) -> list[dg.AssetChecksDefinition]:
    """The check of the links."""

    @dg.asset_check(
        asset=LINKS_KEY,
        name=ALIVE_CHECK,
        description=bilingual(
            "每个采集器的心跳是否按时到达", "Whether the heartbeat of every collector arrives in time."
        ),
    )
    def links_are_alive() -> dg.AssetCheckResult:
        now = datetime.now(UTC)
        with state_store(location.settings) as state, state.read() as connection:
            found = links(connection)
        silent = [link.link_id for link in found if link.silent_for(now) is not None]
        return dg.AssetCheckResult(
            passed=not silent,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "silent": ", ".join(silent) or "—",
                "links": dg.MetadataValue.md("\n".join(map(_line, found)) or "—"),
            },
        )

    return [links_are_alive]


def _line(link: Link) -> str:
    row = link.row
    loss = "—" if row["loss_rate"] is None else f"{row['loss_rate']:.2%}"
    return (
        f"- **{link.link_id}** {row['transport']}: {row['heartbeat_arrived_at_real_utc'] or '—'}, "
        f"lag {row['lag_s'] or 0:.1f} s, backlog {row['backlog_segments'] or 0}, loss {loss}, "
        f"repaired {row['symbols_repaired'] or 0}, missing {row['segments_missing'] or 0}"
    )
