"""Which code makes the content of submissions: the release, and a fingerprint of the sources that decide it.

A release number alone says too little where a plant corrected a file; the fingerprint changes with any byte
of the renderers, of the frame format and of the reference lists.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import protocols.hj212
import transforms.reference
from exports import render

_FINGERPRINT_DIGITS = 12
_SOURCES = {".py", ".csv"}


@cache
def code_version() -> str:
    """Release and fingerprint, such as `0.1.0+3f9a0c1d22e4`; the same all through a process."""
    digest = hashlib.sha256()
    for package in (render, protocols.hj212, transforms.reference):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*")):
            if path.suffix in _SOURCES:
                content = path.read_bytes()
                name = f"{package.__name__}/{path.relative_to(folder).as_posix()}"
                digest.update(f"{name} {len(content)}\n".encode() + content)
    return f"{_release()}+{digest.hexdigest()[:_FINGERPRINT_DIGITS]}"


def _release() -> str:
    try:
        return version("chemlink")
    except PackageNotFoundError:  # run from its sources, not installed
        return "0"
