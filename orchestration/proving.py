"""Proof of a submission, made from the site's log or read from a file, and its verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.services import state_store
from orchestration.settings import Settings


def make_bundle(settings: Settings, submission: str) -> dict[str, Any]:
    """The proof bundle in the file called `submission`, or of the submission with that key."""
    from exports.proofs import prove

    path = Path(submission)
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    with state_store(settings) as state:
        return prove(state, settings.site.site_id, submission)


def verify_bundle(settings: Settings, bundle: dict[str, Any]) -> tuple[str, ...]:
    """What of the bundle is not proved under the site's log key; nothing where it holds."""
    from exports.checkpoints import log_sign_key
    from exports.proofs import verify

    return verify(bundle, log_sign_key(log_key_path(settings)).public_key()).faults


def log_key_path(settings: Settings) -> Path:
    """Where the site keeps the key that signs the log's checkpoints."""
    return settings.site_dir / "pki" / "log_sign.pem"
