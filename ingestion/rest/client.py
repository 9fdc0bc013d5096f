"""Asking an HTTP interface politely: no faster than allowed, again where that helps, never elsewhere.

Redirects are refused, and credentials go to the configured origin only. Not supported: OAuth, proxies.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from ingestion.errors import PermanentError, SourceUnavailableError
from ingestion.site_files import RestSite

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 300.0
_FIRST_WAIT_S = 0.5


@dataclass
class RestClient:
    """One interface while it is read.

    Attributes:
        site: where it is and how often it may be asked.
        secrets: a secret's value by its name.
        site_dir: `ca_file` lies in it.
        sleep: waits; another in tests.
    """

    site: RestSite
    secrets: Callable[[str], str]
    site_dir: Path
    sleep: Callable[[float], None] = time.sleep
    _client: httpx.Client = field(init=False)
    _not_before: float = field(default=0.0, init=False)

    def __enter__(self) -> Self:
        basic = self.site.basic
        self._client = httpx.Client(
            verify=self._trusted(),
            timeout=self.site.timeout_s,
            trust_env=False,
            headers={"Accept": "application/json", **self._credentials()},
            auth=httpx.BasicAuth(basic.user, self.secrets(basic.password_secret)) if basic else None,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: str, parameters: Mapping[str, str]) -> str:
        """The text that the interface answers.

        Args:
            url: below the configured base URL, or a link of the interface's own.
            parameters: of the request; none for a link, which has its own.

        Raises:
            PermanentError: it refuses, redirects, leads elsewhere, or answers without end.
            SourceUnavailableError: it did not answer, or only with faults, as often as it was asked.
        """
        target = httpx.URL(self.site.base_url.rstrip("/") + "/").join(url)
        if _origin(target) != _origin(httpx.URL(self.site.base_url)):
            msg = f"{target.host}: a link leads away from {self.site.base_url}; it is not followed"
            raise PermanentError(msg)
        asked = target.copy_merge_params(dict(parameters)) if parameters else target
        trouble = ""
        for attempt in range(self.site.attempts):
            self._wait_for_turn()
            pause = _FIRST_WAIT_S * 2**attempt
            try:
                answer, text = self._once(asked)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__} {error}".strip()
            else:
                if answer.status_code == httpx.codes.OK:
                    return text
                self._refuse(answer, target)
                trouble = f"HTTP {answer.status_code}"
                pause = max(pause, _asked_to_wait(answer))
            if pause > _LONGEST_WAIT_S:
                break
            if attempt + 1 < self.site.attempts:
                self.sleep(pause)
        msg = (
            f"GET {_shown(target)}: {trouble}, asked {attempt + 1} time(s); "
            "nothing landed, the next run tries again"
        )
        raise SourceUnavailableError(msg)

    def _once(self, url: httpx.URL) -> tuple[httpx.Response, str]:
        with self._client.stream("GET", url) as answer:
            content = bytearray()
            for block in answer.iter_bytes():
                content += block
                if len(content) > MAX_ANSWER_BYTES:
                    msg = (
                        f"GET {_shown(url)}: an answer of over {MAX_ANSWER_BYTES // 1024 // 1024} MiB; "
                        "ask for smaller pages (page_size)"
                    )
                    raise PermanentError(msg)
        return answer, content.decode("utf-8", errors="replace")

    def _wait_for_turn(self) -> None:
        now = time.monotonic()
        if now < self._not_before:
            self.sleep(self._not_before - now)
        self._not_before = max(now, self._not_before) + 1 / self.site.requests_per_s

    def _refuse(self, answer: httpx.Response, target: httpx.URL) -> None:
        if answer.status_code in _AGAIN:
            return
        what = f"GET {_shown(target)}: HTTP {answer.status_code}"
        if answer.status_code in (401, 403):
            msg = f"{what}: the interface refuses our credentials; check the secret and its rights"
        elif answer.is_redirect:
            msg = f"{what}: it leads to {answer.headers.get('location', '?')!r}; correct base_url"
        else:
            msg = f"{what}; expected 200; check base_url, physicalName of the contract and rest.yml"
        raise PermanentError(msg)

    def _credentials(self) -> dict[str, str]:
        if self.site.bearer_secret:
            return {"Authorization": f"Bearer {self.secrets(self.site.bearer_secret)}"}
        if self.site.api_key:
            return {self.site.api_key.header: self.secrets(self.site.api_key.secret)}
        return {}

    def _trusted(self) -> ssl.SSLContext:
        if self.site.ca_file is None:
            return ssl.create_default_context()
        path = self.site_dir / self.site.ca_file
        try:
            return ssl.create_default_context(cafile=str(path))
        except (OSError, ssl.SSLError) as error:
            msg = f"ca_file {path}: {error}; expected certificates in PEM form"
            raise PermanentError(msg) from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _shown(url: httpx.URL) -> str:
    """Without the query, which may hold what nobody should read."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}"


def _asked_to_wait(answer: httpx.Response) -> float:
    """Seconds that the interface asks for, as a number or as a date."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isdigit():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    left = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
    return max(0.0, float(left.total_seconds()))
