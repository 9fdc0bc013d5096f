"""Looking around on a real server, and the proposal it ends in."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingestion.collector.discovery import Discovery, discover, server_of
from ingestion.collector.settings import SettingsError, load_settings
from ingestion.collector.tag_table import load_tags
from tests.fakes import opcua_catalogue, opcua_history
from tests.fakes.opcua_history import NAMESPACE, SYSTEM, Source


class Silent:
    def browsed(self, nodes: int, variables: int) -> None:
        pass

    def read(self, variables: int, total: int) -> None:
        pass


HEADING = (
    "tag_id,node_id,label_zh,label_en,unit,range_low,range_high,data_type,sampling_ms,queue_size,area,"
    "equipment_id,has_history,deadband\n"
)
MINE = f"LT-101,nsu={NAMESPACE};s=T101.LEVEL,液位,level,m,0,100.0,double,5000,10,tank_farm,T101,true,2%\n"
GONE = f"GONE,nsu={NAMESPACE};s=GONE,无,none,,,,double,5000,10,tank_farm,,true,\n"


@dataclass(frozen=True)
class Looks:
    site: Path
    whole: Discovery
    standing: Discovery
    part: Discovery
    shallow: Discovery
    wrong_root: str


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Looks:
    """Several looks at one server, which takes longer to start than to be looked at."""
    site = tmp_path_factory.mktemp("discover")
    port = opcua_history.free_port()
    config = opcua_history.make_site(site, port, Source((), 0, 1, 0))
    (site / "standing.csv").write_text(HEADING + MINE + GONE, encoding="utf-8")

    async def scenario() -> Looks:
        settings = load_settings(config)
        server = server_of(settings, SYSTEM)

        async def look(base: str = "none.csv", **options: Any) -> Discovery:
            return await discover(settings, server, site / base, Silent(), **options)

        async with opcua_catalogue.serve(site, port):
            with pytest.raises(SettingsError) as told:
                await look(root="nsu=urn:nowhere;s=T101")
            return Looks(
                site=site,
                whole=await look(),
                standing=await look("standing.csv"),
                part=await look(root=f"nsu={NAMESPACE};s=T101"),
                shallow=await look(depth_limit=1),
                wrong_root=str(told.value),
            )

    made = asyncio.run(scenario())
    made.whole.proposal.write(site / "tags.csv")
    return made


def rows(site: Path) -> dict[str, dict[str, str]]:
    with (site / "tags.csv").open(encoding="utf-8") as file:
        return {row["tag_id"]: row for row in csv.DictReader(file)}


def test_every_open_variable_is_found_once_through_pages_small_calls_and_a_loop(looks: Looks) -> None:
    discovery, site = looks.whole, looks.site
    assert discovery.closed == 1
    assert not discovery.unreadable
    assert not discovery.too_deep
    assert len(rows(site)) == opcua_catalogue.MANY + 5 == len(discovery.proposal.additions)


def test_a_proposed_row_says_what_the_server_says(looks: Looks) -> None:
    level = rows(looks.site)["T101.LEVEL"]
    assert level == {
        "tag_id": "T101.LEVEL",
        "node_id": f"nsu={NAMESPACE};s=T101.LEVEL",
        "label_zh": "液氨储罐液位",
        "label_en": "ammonia tank level",
        "unit": "%",
        "range_low": "0",
        "range_high": "100",
        "data_type": "double",
        "sampling_ms": "250",
        "queue_size": "1000",
        "area": "tankfarm",
        "equipment_id": "T101",
        "has_history": "true",
        "states": "",
    }


def test_ids_are_readable_and_unique_where_names_repeat(looks: Looks) -> None:
    proposed = rows(looks.site)
    assert proposed["T101.Mode"]["states"] == "0=off; 1=on"
    assert proposed["T101.Mode"]["data_type"] == "int32"
    assert proposed["T102.Mode"]["has_history"] == "false"
    assert proposed["T101.Weights"]["data_type"] == "double[]"
    assert proposed["T101.Batch"]["data_type"] == "string"
    assert "W059" in proposed


def test_the_collector_reads_the_proposal(looks: Looks) -> None:
    assert len(load_tags(looks.site / "tags.csv")) == opcua_catalogue.MANY + 5


def test_rows_that_stand_are_kept_and_differences_only_told(looks: Looks) -> None:
    proposal = looks.standing.proposal
    assert [(d.tag_id, d.column, d.table, d.server) for d in proposal.differences] == [
        ("LT-101", "unit", "m", "%")
    ]
    assert proposal.absent == ("GONE",)
    proposal.write(looks.site / "written.csv")
    text = (looks.site / "written.csv").read_text(encoding="utf-8")
    assert MINE.rstrip("\n") in text
    assert GONE.rstrip("\n") in text
    assert len(text.splitlines()) == 1 + 2 + opcua_catalogue.MANY + 4


def test_a_part_of_the_tree_or_a_shallow_look_names_no_tag_absent(looks: Looks) -> None:
    found = {row["tag_id"] for row in looks.part.proposal.additions}
    assert found == {"T101.LEVEL", "Mode", "Weights", "Batch"}
    assert looks.shallow.variables == 0
    assert looks.shallow.too_deep >= 2
    assert not looks.part.proposal.absent + looks.shallow.proposal.absent


def test_a_root_or_system_that_is_not_there_is_told(looks: Looks) -> None:
    assert "no namespace urn:nowhere" in looks.wrong_root
    with pytest.raises(SettingsError, match=SYSTEM):
        server_of(load_settings(looks.site / "collector.yml"), "nobody")
