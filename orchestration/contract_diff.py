"""Two states of the contracts side by side: files, a git revision, the last release, or what the lake holds.

A state is named by a path; by `released`, what the `released.json` files say; by `lake`, the schemas of the
site's stored tables; or else by a git revision.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.arrow import raw_schema
from contracts.changes import Change, ChangeClass, demanded_version, place_of, version_parts, worst
from contracts.comparison import compare, compare_schemas
from contracts.documents import read_document
from contracts.loading import CONTRACT_SUFFIX, read_as_it_is
from contracts.model import Contract
from contracts.released import released_contracts
from ingestion.registry import PRODUCT_SYSTEMS
from lake import tables
from lake.evolution import made_with, stored_schema
from lake.layout import LakePaths
from orchestration.site import SettingsError

RELEASED, LAKE = "released", "lake"
_ROOT = PRODUCT_SYSTEMS.parents[1]


@dataclass(frozen=True)
class ContractDiff:
    """How one contract changed.

    Attributes:
        contract_id: `<system>.<table>`.
        kind: the class of the whole.
        changes: each change with where it stands, as `file:line`.
        version_before: the old version; empty for a new contract.
        version: the new version; empty for one that is gone.
        demanded: the least version that the change demands.
    """

    contract_id: str
    kind: ChangeClass
    changes: tuple[tuple[str, Change], ...]
    version_before: str
    version: str
    demanded: str

    @property
    def is_version_enough(self) -> bool:
        """Whether the new version is at least the demanded one."""
        if not self.version_before or not self.version:
            return True
        return version_parts(self.version) >= version_parts(self.demanded)


def diff_contracts(
    old: str, new: str | None, *, site_dir: Path | None, lake: LakePaths | None
) -> list[ContractDiff]:
    """Every contract that differs between the two states, by id.

    Args:
        old: a path, `released`, `lake`, or a git revision.
        new: a path or a git revision; the product's and the site's contracts by default.
        site_dir: the site whose own systems belong to it; None where there is none.
        lake: the site's lake, for `lake`.

    Raises:
        SettingsError: a state cannot be read; the message says how one is named.
    """
    folders = [PRODUCT_SYSTEMS, *([site_dir / "systems"] if site_dir else [])]
    with ExitStack() as stack:
        after = _by_id(_files(folders) if new is None else _state(new, stack))
        if old == LAKE:
            return _against_lake(after.values(), lake)
        if old == RELEASED:
            before = _released({contract.path.parent for contract in after.values() if contract.path})
        else:
            before = _by_id(_state(old, stack))
        if len(before) == len(after) == 1:  # two files may be compared whatever table they describe
            (first,), (second,) = before.values(), after.values()
            return list(filter(None, [_compared(first, second)]))
        found = (_compared(before.get(name), after.get(name)) for name in sorted({*before, *after}))
        return [diff for diff in found if diff is not None]


def _state(name: str, stack: ExitStack) -> list[Contract]:
    path = Path(name)
    if path.exists():
        return _files([path.resolve()])
    found = subprocess.run(
        ["git", "archive", "--format=tar", name, str(PRODUCT_SYSTEMS.relative_to(_ROOT))],
        cwd=_ROOT,
        capture_output=True,
        check=False,
    )
    if found.returncode != 0:
        reason = found.stderr.decode(errors="replace").strip().splitlines()[:1]
        msg = (
            f"{name!r} is no path, and git does not know it as a revision ({''.join(reason)}); give a file, "
            f"a folder, a revision as HEAD~1, {RELEASED!r} or {LAKE!r} 请给出文件、目录或 git 版本"
        )
        raise SettingsError(msg)
    # Under the revision's name, so that a line of a change reads `HEAD~1/ingestion/systems/…`.
    folder = Path(stack.enter_context(TemporaryDirectory())) / name.replace("/", "_")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return _files([folder])


def _files(places: Iterable[Path]) -> list[Contract]:
    paths = [
        path
        for place in places
        for path in ([place] if place.is_file() else sorted(place.rglob(f"*{CONTRACT_SUFFIX}")))
    ]
    found = {path: read_as_it_is(path) for path in paths}
    unread = [str(path) for path, contract in found.items() if contract is None]
    if unread:
        msg = f"{', '.join(unread)}: cannot be read as a contract; run `chemlink contract check` on it first"
        raise SettingsError(msg)
    return [contract for contract in found.values() if contract is not None]


def _by_id(contracts: Iterable[Contract]) -> dict[str, Contract]:
    return {contract.contract_id: contract for contract in contracts}


def _released(folders: Iterable[Path]) -> dict[str, Contract]:
    return {name: found for folder in folders for name, found in released_contracts(folder).items()}


def _compared(old: Contract | None, new: Contract | None) -> ContractDiff | None:
    if old is None or new is None:
        present = new or old
        assert present is not None, "one of the two states has it"
        kind = ChangeClass.ADDITION if new else ChangeClass.BREAKING
        names = ("", present.contract_id) if new else (present.contract_id, "")
        change = Change(kind, None, "contract", *names)
        versions = ("", present.version) if new else (present.version, "")
        return ContractDiff(present.contract_id, kind, ((str(present.path), change),), *versions, "")
    changes = compare(old, new)
    if not changes:
        return None
    kind = worst(changes)
    located = tuple((_where(change, old if change.is_in_old else new), change) for change in changes)
    demanded = demanded_version(old.version, kind)
    return ContractDiff(new.contract_id, kind, located, old.version, new.version, demanded)


def _against_lake(contracts: Iterable[Contract], lake: LakePaths | None) -> list[ContractDiff]:
    if lake is None:
        msg = f"comparing with {LAKE!r} needs a site: give --site 需要站点目录"
        raise SettingsError(msg)
    found = []
    for contract in contracts:
        path = lake.table("raw", contract.name)
        if not tables.exists(path):
            continue
        changes = compare_schemas(stored_schema(path), raw_schema(contract))
        if changes:
            kind, before = worst(changes), made_with(path) or ""
            demanded = demanded_version(before, kind) if before else ""
            located = tuple((_where(change, contract), change) for change in changes)
            version = contract.version
            found.append(ContractDiff(contract.contract_id, kind, located, before, version, demanded))
    return found


def _where(change: Change, contract: Contract) -> str:
    if contract.path is None:
        return "released.json"
    document, _ = read_document(contract.path)
    line = document.line(place_of(change, contract)) if document else None
    return f"{contract.path}:{line}" if line else str(contract.path)
