"""How the tables of an HTTP interface are asked for: `rest.yml` in the system's folder, one entry a table."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contracts.model import Contract, ExtractMode
from ingestion.errors import PermanentError

LAYOUT_FILE = "rest.yml"
MODES = (ExtractMode.FULL, ExtractMode.SNAPSHOT_DIFF, ExtractMode.CURSOR, ExtractMode.CURSOR_SWEEP)


class RestLayout(BaseModel):
    """How one table is asked for; the path is the contract's physicalName.

    Attributes:
        profile: plain JSON, or OData version 4, whose paging and filter are known.
        record: path with dots to the list of records; the document or its only list by default.
        paging: how the next page is found; OData has links.
        next_field: path with dots to the link or the token of the next page.
        page_parameter: of the request, for the page's number, its offset or its token.
        size_parameter: of the request, for the number of rows; left out by default.
        page_size: rows a page; a shorter page of numbers or offsets is the last.
        first_page: number of the first page.
        since_parameter: of the request, for the earliest change wanted.
        parameters: further ones, the same in every request.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    profile: Literal["json", "odata"] = "json"
    record: str | None = None
    paging: Literal["none", "link", "page", "offset", "token"] = "none"
    next_field: str = "next"
    page_parameter: str = "page"
    size_parameter: str | None = None
    page_size: int = Field(default=500, ge=1, le=50_000)
    first_page: int = Field(default=1, ge=0)
    since_parameter: str | None = None
    parameters: dict[str, str] = {}

    @model_validator(mode="after")
    def _odata_decides(self) -> Self:
        said = self.model_fields_set & {"record", "paging", "next_field", "since_parameter"}
        if self.profile == "odata" and said:
            msg = f"profile odata decides {', '.join(sorted(said))}; take it out"
            raise ValueError(msg)
        return self


class _LayoutFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Literal[1]
    tables: dict[str, RestLayout]


def layout_of(folder: Path, contract: Contract) -> RestLayout:
    """How one table is asked for.

    Raises:
        PermanentError: the file is missing or wrong, lacks the table, or cannot serve the contract's mode.
    """
    path = folder / LAYOUT_FILE
    try:
        found = _LayoutFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, OSError) as error:
        msg = f"{path}: {error}; correct the file"
        raise PermanentError(msg) from error
    if contract.table not in found.tables:
        msg = f"{path} speaks of tables {sorted(found.tables)}, not of {contract.table!r}; add it"
        raise PermanentError(msg)
    if contract.mode not in MODES:
        allowed = ", ".join(mode.value for mode in MODES)
        msg = f"{contract.contract_id}: extractMode {contract.mode} is none of interfaces; use {allowed}"
        raise PermanentError(msg)
    layout = found.tables[contract.table]
    if contract.cursor and layout.profile == "json" and layout.since_parameter is None:
        msg = f"{path}: {contract.table} has a cursor; say since_parameter, or use extractMode snapshot_diff"
        raise PermanentError(msg)
    return layout
