"""The records of one table, page after page, whatever kind of paging the interface has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.model import Contract
from ingestion.errors import PermanentError, RefusedFileError
from ingestion.files.json_records import at_path, load_document, records_of
from ingestion.files.records import Record
from ingestion.rest.client import RestClient
from ingestion.rest.layout import RestLayout

_MOST_PAGES = 100_000
_ODATA = RestLayout(record="value", paging="link", next_field="@odata.nextLink")


@dataclass(frozen=True)
class RestPages:
    """One table of an interface."""

    client: RestClient
    layout: RestLayout
    contract: Contract

    def records(self, since: datetime | int | None = None) -> Iterator[Record]:
        """Every record, numbered from 1 over all pages.

        Raises:
            PermanentError: a page is no JSON, has no list of records, or was there before.
            SourceUnavailableError: the interface stopped answering on the way.
        """
        layout = _ODATA if self.layout.profile == "odata" else self.layout
        url, parameters = self.contract.source_name, self._first(since)
        asked: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        place = 1
        while True:
            request = (url, tuple(sorted(parameters.items())))
            if request in asked or len(asked) >= _MOST_PAGES:
                msg = f"{self.contract.name}: page {len(asked) + 1} is an earlier one again; check rest.yml"
                raise PermanentError(msg)
            asked.add(request)
            document, found = self._page(url, parameters, layout, place)
            yield from found
            place += len(found)
            following = _following(layout, document, len(found), parameters)
            if following is None:
                return
            url, parameters = following[0] or url, following[1]

    def _first(self, since: datetime | int | None) -> dict[str, str]:
        layout, contract = self.layout, self.contract
        parameters = dict(layout.parameters)
        if layout.size_parameter:
            parameters[layout.size_parameter] = str(layout.page_size)
        if layout.paging in ("page", "offset"):
            parameters[layout.page_parameter] = str(layout.first_page if layout.paging == "page" else 0)
        earliest = _written(since)
        if layout.profile == "odata":
            keys = (contract.column(name).source_name for name in contract.primary_key)
            # Pages of an order that is none may repeat and leave out rows.
            parameters["$orderby"] = ",".join(key.replace(".", "/") for key in keys)
            if earliest and contract.cursor:
                name = contract.column(contract.cursor).source_name.replace(".", "/")
                own = f"({given}) and " if (given := parameters.get("$filter")) else ""
                parameters["$filter"] = f"{own}{name} ge {earliest}"
        elif earliest and layout.since_parameter:
            parameters[layout.since_parameter] = earliest
        return parameters

    def _page(
        self, url: str, parameters: dict[str, str], layout: RestLayout, place: int
    ) -> tuple[Any, list[Record]]:
        text = self.client.get(url, parameters)
        try:
            document = load_document(text)
            return document, list(records_of(document, layout.record, self.contract, first=place))
        except (ValueError, RecursionError) as error:
            told = str(error)[:120]
            msg = f"{self.contract.name}: the answer of {url!r} is no JSON ({told}); check base_url and path"
            raise PermanentError(msg) from error
        except RefusedFileError as error:
            msg = f"{self.contract.name}: the answer of {url!r}: {error}; say `record` in rest.yml"
            raise PermanentError(msg) from error


def _following(
    layout: RestLayout, document: Any, count: int, parameters: dict[str, str]
) -> tuple[str | None, dict[str, str]] | None:
    """Link and parameters of the next page; None after the last."""
    if layout.paging == "none":
        return None
    if layout.paging in ("link", "token"):
        found = at_path(document, layout.next_field)
        if found in (None, "", False):
            return None
        return (
            (str(found), {})
            if layout.paging == "link"
            else (None, {**parameters, layout.page_parameter: str(found)})
        )
    if count == 0 or (layout.size_parameter and count < layout.page_size):
        return None
    step = 1 if layout.paging == "page" else count
    return None, {**parameters, layout.page_parameter: str(int(parameters[layout.page_parameter]) + step)}


def _written(since: datetime | int | None) -> str | None:
    if isinstance(since, datetime):
        return since.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return None if since is None else str(since)
