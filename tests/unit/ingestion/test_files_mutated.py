"""Files with a few bytes changed, lost or doubled: read or refused, never an exception of another kind."""

from __future__ import annotations

import hashlib
import random

import pyarrow as pa
import pytest

from contracts.loading import load_contract
from contracts.model import Contract
from ingestion.connectors.workbook_file import WorkbookFile
from ingestion.errors import RefusedFileError
from ingestion.files.judging import judge_records
from ingestion.files.layout import TableLayout
from ingestion.files.opening import open_reading
from ingestion.files.quarantined import as_quarantined
from ingestion.files.returned import render_rows
from ingestion.files.settling import settle
from tests.fakes.file_site import TICKETS, contract_text
from tests.fakes.hostile_files import hostile_files

COUNT = 2_000
LARGEST_SEED = 20_000
PIECES = (
    b'"',
    b",",
    b"\n",
    b"\0",
    b"\xff",
    b"<",
    b"{",
    b"[",
    b"=",
    b"9" * 30,
    "苏".encode(),
    b"1e5",
    b"\r",
    "²".encode(),
)


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    path = tmp_path_factory.mktemp("contract") / "tickets.odcs.yaml"
    path.write_text(contract_text("tickets", TICKETS), encoding="utf-8")
    return load_contract(path)


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    return [file.content for file in hostile_files("secret") if 0 < len(file.content) < LARGEST_SEED]


def mutated(content: bytes, draw: random.Random) -> bytes:
    """The content with up to six changes."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 6)):
        place = draw.randrange(len(changed) or 1)
        kind = draw.randrange(4)
        if kind == 0 and changed:
            changed[place] = draw.randrange(256)
        elif kind == 1:
            del changed[place : place + draw.randint(1, 20)]
        elif kind == 2:
            changed[place:place] = draw.choice(PIECES) * draw.randint(1, 3)
        else:
            changed[place:place] = changed[place // 2 : place // 2 + draw.randint(1, 60)]
    return bytes(changed)


def through_the_intake(content: bytes, contract: Contract) -> int:
    """How many rows are right; everything that is written of the others can be written.

    Raises:
        RefusedFileError: the file as a whole cannot be read.
    """
    file = WorkbookFile("a", content, hashlib.sha256(content).hexdigest())
    reading = open_reading(file, contract, TableLayout())
    blocks = list(judge_records(reading, contract))
    if not blocks:
        return 0
    settled = settle(pa.concat_tables([block.rows for block in blocks]), contract)
    refused = [*(one for block in blocks for one in block.refused), *settled.refused]
    told = [as_quarantined(one, reading, contract) for one in refused]
    assert all(fault.reason_zh and fault.reason_en for row in told for fault in row.faults)
    render_rows(told, reading.headings)
    return int(settled.rows.num_rows)


@pytest.mark.filterwarnings("ignore")  # of the workbook reader, about styles it cannot read
def test_a_damaged_file_is_read_or_refused_and_nothing_else(seeds: list[bytes], contract: Contract) -> None:
    draw = random.Random(7)
    read, refused = 0, []
    for _ in range(COUNT):
        content = mutated(draw.choice(seeds), draw)
        try:
            read += through_the_intake(content, contract) > 0
        except RefusedFileError as reason:
            refused.append(reason.reason_zh.encode() + reason.reason_en.encode())
    assert read > COUNT / 20, "the mutations leave some files readable"
    assert len(refused) > COUNT / 20
