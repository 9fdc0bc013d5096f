"""Which source systems there are, and which of them this site has.

A system is a folder with `system.yml` and its contracts, found by looking: in the product's `systems/` and in
the site's own `systems/`. A site has a system when it has a file `systems/<system_id>.yml`, which says how to
reach it. Nothing here connects to anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from contracts.documents import Document, read_document
from contracts.errors import ContractError
from contracts.loading import load_contracts
from contracts.model import Contract
from contracts.placeholders import placeholder_faults
from ingestion.errors import PermanentError, RegistryError
from ingestion.site_files import RestSite, SftpSite, SiteFile, StrictFile

PRODUCT_SYSTEMS = Path(__file__).parent / "systems"
_SYSTEM_FILE = "system.yml"
QUARANTINE = "quarantine"  # the table of the rows that a system's files had and that could not land


class SystemKind(StrEnum):
    """How a system is read."""

    OPCUA = "opcua"
    MQTT = "mqtt"
    HJ212 = "hj212"
    SQL = "sql"
    WORKBOOK = "workbook"
    REGISTER = "register"
    FILES = "files"
    REST = "rest"
    WEBHOOK = "webhook"

    @property
    def is_stream(self) -> bool:
        """Whether the collector reads it and it comes through the gateway, so that nothing here asks it."""
        return self in (SystemKind.OPCUA, SystemKind.MQTT, SystemKind.HJ212)

    @property
    def has_drop_folder(self) -> bool:
        """Whether its tables are fed by files in one folder, with a table of the rows set aside."""
        return self in (SystemKind.WORKBOOK, SystemKind.FILES)

    @property
    def sets_rows_aside(self) -> bool:
        """Whether single rows that do not fit go into a table of their own."""
        return self.has_drop_folder or self in (SystemKind.REST, SystemKind.WEBHOOK)


class _SystemFile(StrictFile):
    kind: SystemKind
    label_zh: str
    label_en: str
    owner: str
    area: str


_File = TypeVar("_File", bound=StrictFile)


@dataclass(frozen=True)
class SystemSpec:
    """One source system of this site."""

    system_id: str
    kind: SystemKind
    label_zh: str
    label_en: str
    owner: str
    area: str
    tables: tuple[Contract, ...]
    folder: Path
    secret: str | None = None
    connections: int = 1
    sftp: SftpSite | None = None
    rest: RestSite | None = None
    events_secret: str | None = None

    def contract(self, table: str) -> Contract:
        """The contract of one table.

        Raises:
            PermanentError: the system has no such table; the message lists those it has.
        """
        for contract in self.tables:
            if contract.table == table:
                return contract
        msg = f"{self.system_id}: no table {table!r}; it has {[contract.table for contract in self.tables]}"
        raise PermanentError(msg)


def discover_systems(*roots: Path) -> tuple[SystemSpec, ...]:
    """Every system folder below `roots` (the product's when none is given), without anything of a site.

    Raises:
        RegistryError: files that are unreadable, unknown keys, duplicate systems, faulty contracts; all told.
    """
    faults: list[str] = []
    found = [
        spec
        for root in roots or (PRODUCT_SYSTEMS,)
        for folder in _system_folders(root)
        if (spec := _read_system(folder / _SYSTEM_FILE, faults)) is not None
    ]
    counts = Counter(spec.system_id for spec in found)
    faults += [
        f"{spec.folder}: system {spec.system_id!r} is described in {counts[spec.system_id]} folders; keep one"
        for spec in found
        if counts[spec.system_id] > 1
    ]
    if faults:
        raise RegistryError(faults)
    return tuple(sorted(found, key=lambda spec: spec.system_id))


def _system_folders(root: Path) -> list[Path]:
    """Folders that describe a system, or mean to: one with contracts and no `system.yml` is a fault."""
    return sorted(
        {path.parent for pattern in ("*/system.yml", "*/*.odcs.yaml") for path in root.glob(pattern)}
    )


def load_registry(site_dir: Path, *, product_systems: Path = PRODUCT_SYSTEMS) -> tuple[SystemSpec, ...]:
    """The systems this site has, ordered by id, each with the name of its secret.

    Args:
        site_dir: the site; its `systems/` holds one `<system_id>.yml` a system, and folders of its own.
        product_systems: the folder of the systems that come with the product.

    Raises:
        RegistryError: any file is faulty, or the site names a system that no folder describes.
    """
    known = {spec.system_id: spec for spec in discover_systems(product_systems, site_dir / "systems")}
    faults: list[str] = []
    specs = []
    for path in sorted((site_dir / "systems").glob("*.yml")):
        site = _read_file(path, SiteFile, faults)
        if site is None:
            continue
        spec = known.get(site.system_id)
        if spec is None:
            faults.append(f"{path}: no folder describes system {site.system_id!r}; known: {sorted(known)}")
        elif site.system_id != path.stem:
            faults.append(f"{path}: the file is about {site.system_id!r}; name it {site.system_id}.yml")
        elif told := _unfit(spec.kind, site):
            faults.append(f"{path}: a system of kind {spec.kind} {told}")
        else:
            specs.append(_at_site(spec, site))
    if faults:
        raise RegistryError(faults)
    return tuple(specs)


def _unfit(kind: SystemKind, site: SiteFile) -> str | None:
    """What the site's file says of a system and its kind cannot have, or lacks."""
    if kind is SystemKind.SQL and site.secret is None:
        return "needs the name of the secret with its URL, found none"
    if kind is not SystemKind.SQL and site.secret is not None:
        return f"takes no secret, found {site.secret!r}"
    if site.sftp is not None and kind is not SystemKind.FILES:
        return "is not fed by files; take `sftp` out"
    if (kind is SystemKind.WEBHOOK) != (site.events_secret is not None):
        asked = "needs `events_secret`, the name of the secret its events are signed with"
        return asked if site.events_secret is None else "sends no events; take `events_secret` out"
    if (kind is SystemKind.REST) != (site.rest is not None):
        return "needs `rest` with its base_url" if site.rest is None else "is no interface; take `rest` out"
    return None


def _at_site(spec: SystemSpec, site: SiteFile) -> SystemSpec:
    return replace(
        spec,
        secret=site.secret,
        connections=site.connections,
        sftp=site.sftp,
        rest=site.rest,
        events_secret=site.events_secret,
    )


def _read_system(path: Path, faults: list[str]) -> SystemSpec | None:
    found = _read_file(path, _SystemFile, faults)
    try:
        contracts = load_contracts(path.parent)
    except ContractError as error:
        faults += [str(fault) for fault in error.faults]
        return None
    if found is None:
        return None
    if found.system_id != path.parent.name:
        faults.append(
            f"{path}: system_id is {found.system_id!r}, its folder {path.parent.name!r}; make them agree"
        )
    faults += [
        f"{contract.path}: dataProduct is {contract.system_id!r}, the folder's system is {found.system_id!r}"
        for contract in contracts
        if contract.system_id != found.system_id
    ]
    if not contracts:
        faults.append(f"{path.parent}: a system without a contract; add <table>.odcs.yaml")
    elif found.kind.sets_rows_aside and QUARANTINE not in [contract.table for contract in contracts]:
        faults.append(
            f"{path.parent}: a system of kind {found.kind} sets wrong rows aside and has no table for them; "
            f"add {QUARANTINE}.odcs.yaml (chemlink contract new {found.system_id} writes it)"
        )
    return SystemSpec(
        system_id=found.system_id,
        kind=found.kind,
        label_zh=found.label_zh,
        label_en=found.label_en,
        owner=found.owner,
        area=found.area,
        tables=contracts,
        folder=path.parent,
    )


def _read_file(path: Path, model: type[_File], faults: list[str]) -> _File | None:
    document, problems = read_document(path)
    faults += [str(problem) for problem in problems]
    if document is None:
        return None
    faults += [str(fault) for fault in placeholder_faults(document)]
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        faults += [_told(document, found["loc"], found["msg"]) for found in error.errors()]
        return None


def _told(document: Document, place: tuple[int | str, ...], message: str) -> str:
    return f"{document.fault(place, '.'.join(map(str, place)) + ': ' + message)}"
