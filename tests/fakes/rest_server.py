"""A real HTTP server with one table, which pages, throttles, fails and changes as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PAGE = 3


@dataclass
class RestServer:
    """The server.

    Attributes:
        rows: the table.
        answers: what the next requests get instead of a page: status and headers.
        between: called after each page.
        wants: a header that every request must have.
        asked: parameters of the requests so far.
    """

    rows: list[Any] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    wants: tuple[str, str] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def page(self, request: Request) -> Response:
        said = dict(request.query_params)
        self.asked.append(said)
        if self.wants and request.headers.get(self.wants[0]) != self.wants[1]:
            return Response(status_code=401)
        if self.answers:
            status, headers = self.answers.pop(0)
            if status:
                return Response("<html>", status_code=status, headers=headers)
        style = request.path_params["style"]
        rows = self._since(said)
        at = int(said.get("token") or said.get("offset") or said.get("$skiptoken") or 0)
        if style == "page":
            at = (int(said["page"]) - 1) * PAGE
        rows, rest = rows[at : at + PAGE], len(rows) > at + PAGE
        answer = self._answer(style, rows, at + PAGE if rest else None)
        self.between()
        return JSONResponse(answer)

    def _since(self, said: dict[str, str]) -> list[Any]:
        earliest = said.get("since") or said.get("$filter", "").rpartition(" ge ")[2]
        return [row for row in self.rows if not earliest or row["weighed_at_utc"][:19] >= earliest[:19]]

    def _answer(self, style: str, rows: list[Any], following: int | None) -> Any:
        if style == "odata":
            link = {"@odata.nextLink": f"tickets?$skiptoken={following}"} if following else {}
            return {"@odata.context": "$metadata#tickets", "value": rows, **link}
        if style == "link":
            link = f"{self.url}/link/tickets?token={following}" if following else None
            return {"data": {"items": rows}, "links": {"next": link}}
        return {"items": rows, "next_token": following and str(following)}


@contextmanager
def rest_server() -> Iterator[RestServer]:
    """The server while the block runs."""
    state = RestServer()
    app = Starlette(routes=[Route("/{style}/tickets", state.page)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    state.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.should_exit = True
        thread.join(10)
