"""Proof of a submission, made from the site's log or read from a file, and its verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.services import state_store
from orchestration.settings import Settings


class BundleError(ValueError):
    """A file that was given as a proof bundle is none."""


def make_bundle(settings: Settings, submission: str) -> dict[str, Any]:
    """The proof bundle in the file called `submission`, or of the submission with that key.

    Raises:
        BundleError: the file is no bundle.
        ExportError: no submission has that key, or the log does not hold it yet.
    """
    from exports.proofs import prove

    path = Path(submission)
    if path.is_file():
        return _read_bundle(path)
    with state_store(settings) as state:
        return prove(state, settings.site.site_id, submission)


def verify_bundle(settings: Settings, bundle: dict[str, Any]) -> tuple[str, ...]:
    """What of the bundle is not proved under the site's log key; nothing where it holds."""
    from exports.checkpoints import log_sign_key
    from exports.proofs import verify

    return verify(bundle, log_sign_key(log_key_path(settings)).public_key()).faults


def _read_bundle(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        found = error
    if not isinstance(found, dict):
        msg = (
            f"reading proof bundle {path}: found {found!r:.80}, expected the JSON object that "
            "`chemlink verify KEY --save FILE` writes"
        )
        raise BundleError(msg)
    return found


def log_key_path(settings: Settings) -> Path:
    """Where the site keeps the key that signs the log's checkpoints."""
    return settings.site_dir / "pki" / "log_sign.pem"
