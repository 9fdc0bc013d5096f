"""Proof of submissions and of the whole store: made from the site, or checked from files without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from exports.bundles import Verdict
    from exports.rebuilding import Rebuilt
    from exports.store_check import StoreReport


class BundleError(ValueError):
    """A file that was given as a proof bundle or checkpoint is none."""


def make_bundle(settings: Settings, submission: str, kept: str | None = None) -> dict[str, Any]:
    """The proof bundle of the submission with that key.

    Raises:
        ExportError: no submission has that key, or the log does not hold it yet.
    """
    from exports.proofs import prove
    from orchestration.services import state_store

    with state_store(settings) as state:
        return prove(state, settings.site.site_id, settings.lake.export_log, submission, kept)


def verify_bundle(bundle: dict[str, Any], key: Path, kept: str | None = None) -> Verdict:
    """What a bundle proves under the public key in a file.

    Raises:
        KeyFileError: the file holds no Ed25519 public key.
    """
    from exports.bundles import verify

    return verify(bundle, load_log_key(key), kept)


def check_site(settings: Settings, key: Path, kept: str | None) -> StoreReport:
    """Check every stored submission, the log and its files."""
    from exports.store_check import check_store
    from orchestration.services import state_store

    with state_store(settings) as state:
        return check_store(state, settings.site.site_id, settings.lake.export_log, load_log_key(key), kept)


def check_copy(folder: Path, key: Path, kept: str | None) -> list[str]:
    """Check a copy of the log's files by themselves; answers what does not hold.

    Raises:
        BundleError: the folder holds no log.
    """
    from exports.file_check import FileCheck
    from protocols.checkpoints import CheckpointFormatError, checkpoint_of

    try:
        origin = checkpoint_of((folder / "checkpoint").read_text(encoding="utf-8")).origin
    except (OSError, UnicodeDecodeError, CheckpointFormatError) as error:
        msg = f"reading log {folder}: {error}; expected a copy of the site's var/export_log"
        raise BundleError(msg) from error
    check = FileCheck(folder, origin, load_log_key(key))
    found = list(check.faults())
    return [*found, *check.kept_faults(kept)] if kept is not None else found


def rebuild_submission(settings: Settings, submission: str) -> Rebuilt:
    """Make a past submission again from its Delta version and compare it bit for bit.

    Raises:
        ExportError: there is no such submission.
    """
    from exports.rebuilding import rebuild
    from orchestration.location import load_location
    from orchestration.services import export_site, state_store

    location = load_location(settings)
    with state_store(settings) as state:
        return rebuild(export_site(settings, state), location.reports, location.endpoints, submission)


def read_bundle(path: Path) -> dict[str, Any]:
    """The proof bundle in a file.

    Raises:
        BundleError: the file is no bundle.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found = error
    if not isinstance(found, dict):
        msg = (
            f"reading proof bundle {path}: found {found!r:.80}, expected the JSON object that "
            "`chemlink verify KEY --save FILE` writes"
        )
        raise BundleError(msg)
    return found


def read_checkpoint(path: Path) -> str:
    """The text of a checkpoint that somebody kept, or of the one in a bundle that they kept.

    Raises:
        BundleError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"reading checkpoint {path}: {error}; expected a copy of var/export_log/checkpoint"
        raise BundleError(msg) from error
    return str(read_bundle(path).get("checkpoint")) if text.startswith("{") else text


def load_log_key(path: Path) -> Ed25519PublicKey:
    """The log's public key.

    Raises:
        KeyFileError: the file holds no Ed25519 public key.
    """
    from protocols.keys import load_verify_key

    return load_verify_key(path)


def log_key_path(settings: Settings) -> Path:
    """Where the site keeps the key that signs the log's checkpoints."""
    return settings.site_dir / "pki" / "log_sign.pem"


def log_verify_key_path(settings: Settings) -> Path:
    """Where the site keeps the public half, which it gives to whoever wants to check."""
    return settings.site_dir / "pki" / "log_verify.pem"
