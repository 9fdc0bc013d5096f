"""What every part of `collector.yml` is read with: strict models, and paths from the file's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

SystemId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class SettingsError(ValueError):
    """The configuration cannot be used; the message names the file and the keys."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    root: Path = (info.context or {}).get("root", Path.cwd())
    return (root / path).resolve()


SitePath = Annotated[Path, AfterValidator(_resolve)]


class Strict(BaseModel):
    """Unknown keys are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
