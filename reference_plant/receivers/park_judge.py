"""What the park holds true of a report: signature, schema, plausibility, order, one receipt each."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema

from reference_plant.receivers.control import Command
from reference_plant.receivers.faults import Faults
from reference_plant.receivers.park_store import ConflictError, ParkStore
from reference_plant.receivers.plant import PlantView

CLOCK_TOLERANCE = timedelta(minutes=5)
PERIOD = timedelta(hours=1)

Answer = tuple[HTTPStatus, dict[str, Any]]


class ParkPlatform:
    """The park's judgement: signature, schema, plausibility, order, one receipt a report."""

    def __init__(self, plant: PlantView, *, hmac_key: str) -> None:
        self.faults = Faults()
        self.store = ParkStore(plant.store_path)
        self._plant = plant
        self._key = hmac_key.encode()
        schema = resources.files("reference_plant.receivers") / "park_report.schema.json"
        self._validator = jsonschema.Draft202012Validator(
            json.loads(schema.read_text(encoding="utf-8")),
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        )

    def post(self, key: str, signature: str, body: bytes) -> Answer:
        """Judge one report; what is refused is kept too."""
        status, answer = self._judge(key, signature, body)
        if status is not HTTPStatus.OK:
            text = body.decode("utf-8", errors="backslashreplace")
            reason = json.dumps(answer, ensure_ascii=False)
            self.store.refuse(key, status.value, reason, text, self._plant.now())
        return status, answer

    def get(self, target: str, signature: str) -> Answer:
        """Give back accepted reports."""
        if not self._is_signed(target.encode(), signature):
            return HTTPStatus.UNAUTHORIZED, {"error": "bad signature"}
        query = {name: values[-1] for name, values in parse_qs(urlsplit(target).query).items()}
        try:
            start, end = (_aware(query[name]) for name in ("from", "to"))
            report_id = query["report_id"]
        except (KeyError, ValueError) as error:
            message = f"expected report_id, from and to (ISO 8601 with offset): {error!r}"
            return HTTPStatus.BAD_REQUEST, {"errors": [{"path": "query", "message": message}]}
        return HTTPStatus.OK, {"reports": self.store.between(report_id, start, end)}

    def _judge(self, key: str, signature: str, body: bytes) -> Answer:
        if not self._is_signed(body, signature):
            return HTTPStatus.UNAUTHORIZED, {"error": "bad signature"}
        if not key:
            return refusal("Idempotency-Key", "expected the header, found none")
        try:
            report = json.loads(body)
        except ValueError as error:
            return refusal("$", f"expected JSON in UTF-8: {error}")
        errors = [
            {"path": error.json_path, "message": error.message}
            for error in self._validator.iter_errors(report)
        ]
        if errors:
            return HTTPStatus.BAD_REQUEST, {"errors": errors}
        return self._accept(key, report, body.decode("utf-8"))

    def _accept(self, key: str, report: dict[str, Any], body: str) -> Answer:
        try:
            start = _aware(report["period_start"])
        except ValueError as error:
            return refusal("$.period_start", f"expected ISO 8601 with offset: {error}")
        now = self._plant.now()
        if start.minute or start.second or start.microsecond or start + PERIOD > now + CLOCK_TOLERANCE:
            message = f"expected an hour that is over at {now.isoformat()}, found {start.isoformat()}"
            return refusal("$.period_start", message)
        seen = [(row["outlet_id"], row["factor_code"]) for row in report["rows"]]
        if len(set(seen)) < len(seen):
            return refusal("$.rows", "expected each outlet and factor once")
        try:
            return HTTPStatus.OK, asdict(self.store.accept(key, report, body, start, now))
        except ConflictError as conflict:
            return HTTPStatus.CONFLICT, conflict.answer

    def _is_signed(self, content: bytes, signature: str) -> bool:
        expected = hmac.new(self._key, content, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode())

    def is_open(self) -> bool:
        """Whether the park answers at this moment of plant time."""
        return not self.faults.closed and not self._plant.is_out(self._plant.now())

    async def command(self, command: Command) -> Command:
        """Carry out one line of the control port: faults."""
        if command.pop("do", None) != "faults":
            msg = f"expected do=faults, found {command!r}"
            raise ValueError(msg)
        self.faults.switch(command)
        return {"faults": asdict(self.faults)}


def refusal(path: str, message: str) -> Answer:
    """400 with one error."""
    return HTTPStatus.BAD_REQUEST, {"errors": [{"path": path, "message": message}]}


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = f"expected an offset, found {text!r}"
        raise ValueError(msg)
    return moment.astimezone(UTC)
