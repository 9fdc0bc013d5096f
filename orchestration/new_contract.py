"""Writing a new system or table: its folder, its contract, and the site's file that says how it is reached.

Nothing that exists is ever written over. Files of a plant go into its site.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.loading import CONTRACT_SUFFIX
from contracts.placeholders import ENGLISH
from contracts.scaffold import (
    EVENT_COLUMNS,
    NOTHING_KNOWN,
    FoundColumn,
    render_contract,
    render_layouts,
    render_quirks,
    render_rest,
    render_system,
)
from ingestion.files.layout import LAYOUT_FILE
from ingestion.registry import PRODUCT_SYSTEMS, QUARANTINE, SystemKind
from ingestion.rest.layout import LAYOUT_FILE as REST_LAYOUT_FILE
from orchestration.settings import Settings, load_settings
from orchestration.site import SettingsError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class NewTable:
    """What is asked for.

    Attributes:
        system_id: the system; its folder is made where there is none.
        table: our name of the table; None makes the system alone.
        kind: how the system is read.
        source_name: the source's name of the table; the table's own by default.
        secret: the name of the secret with the database's URL.
        sample: a delimited file, workbook or Parquet file that shows the columns.
    """

    system_id: str
    table: str | None = None
    kind: SystemKind = SystemKind.SQL
    source_name: str | None = None
    secret: str | None = None
    sample: Path | None = None


def make_contract(new: NewTable, site_dir: Path | None) -> list[Path]:
    """Write what is missing for the system and its table.

    Args:
        new: what is asked for.
        site_dir: the site it belongs to; None writes into the product.

    Returns:
        The files written, in the order they should be filled in.

    Raises:
        SettingsError: a name is no identifier, the table is described already, or streams were asked for.
        PermanentError: the database or the sample cannot be read.
    """
    _refuse_names(new)
    root = PRODUCT_SYSTEMS if site_dir is None else site_dir / "systems"
    folder = _folder(new, root, site_dir)
    texts: dict[Path, str] = {}
    if not (folder / "system.yml").exists():
        texts[folder / "system.yml"] = render_system(new.system_id, new.kind.value)
        texts[folder / "quirks.md"] = render_quirks(new.system_id)
    if new.table is not None:
        source_name = new.source_name or new.table
        columns = _columns(new, source_name, site_dir)
        texts[folder / f"{new.table}{CONTRACT_SUFFIX}"] = render_contract(
            new.system_id, new.table, kind=new.kind.value, source_name=source_name, columns=columns
        )
        if new.kind is SystemKind.FILES:
            texts[folder / LAYOUT_FILE] = render_layouts(new.table)
        if new.kind is SystemKind.REST:
            texts[folder / REST_LAYOUT_FILE] = render_rest(new.table)
    if new.kind.sets_rows_aside:
        texts[folder / f"{QUARANTINE}{CONTRACT_SUFFIX}"] = _quarantine_contract(new.system_id)
    if site_dir is not None:
        texts[root / f"{new.system_id}.yml"] = _site_file(new)
    return [path for path, text in texts.items() if _write(path, text)]


def _quarantine_contract(system_id: str) -> str:
    """The table of refused rows, which is the same for every system whose rows come in files."""
    text = (PRODUCT_SYSTEMS / "lab_manual" / f"{QUARANTINE}{CONTRACT_SUFFIX}").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^version: .*$", "version: 1.0.0", text)
    return text.replace("{name: laboratory}", f"{{name: {ENGLISH} owner}}").replace("lab_manual", system_id)


def _refuse_names(new: NewTable) -> None:
    for name in filter(None, (new.system_id, new.table)):
        if not _NAME.fullmatch(name):
            msg = f"{name!r} is no name: expected small letters, digits and _ 名称只用小写字母、数字与 _"
            raise SettingsError(msg)
    if new.kind.is_stream:
        msg = (
            f"a system of kind {new.kind} brings tables of the collector, whose columns the wire decides; "
            "copy the folder of a system of its kind 请复制同类系统的目录"
        )
        raise SettingsError(msg)


def _folder(new: NewTable, root: Path, site_dir: Path | None) -> Path:
    """The system's folder; a product's system may be given a table by the product only."""
    folder = root / new.system_id
    if site_dir is not None and (PRODUCT_SYSTEMS / new.system_id).exists():
        msg = (
            f"{new.system_id} is a system of the product; give the site's own system another id, "
            "or add the table to the product with --product 该系统属于产品，请改用其他编号或加 --product"
        )
        raise SettingsError(msg)
    path = folder / f"{new.table}{CONTRACT_SUFFIX}"
    if new.table is not None and path.exists():
        msg = f"{path} is there already and stays as it is; choose another table 文件已存在，未改动"
        raise SettingsError(msg)
    return folder


def _columns(new: NewTable, source_name: str, site_dir: Path | None) -> Sequence[FoundColumn]:
    """From the sample, else from the live table where a connection is configured, else none known."""
    from ingestion.connectors.catalogue import columns_of_sample, columns_of_table

    brought = EVENT_COLUMNS if new.kind is SystemKind.WEBHOOK else ()
    if new.sample is not None:
        return [*brought, *columns_of_sample(new.sample)]
    if brought:
        return brought
    if new.kind is not SystemKind.SQL or new.secret is None:
        return NOTHING_KNOWN
    settings: Settings = load_settings(site_dir)
    return columns_of_table(settings.secrets(new.secret), source_name)


def _site_file(new: NewTable) -> str:
    name, reached = new.secret or f"{new.system_id}_url", ""
    if new.kind is SystemKind.SQL:
        reached = f"secret: {name}\n"
    elif new.kind is SystemKind.REST:
        login = f"  bearer_secret: {new.secret}\n" if new.secret else ""
        reached = f"rest:\n  base_url: https://{new.system_id}.invalid  # {ENGLISH} 填写接口地址\n{login}"
    elif new.kind is SystemKind.WEBHOOK:
        reached = f"events_secret: {new.secret or f'{new.system_id}_events'}\n"
    return f"schema_version: 1\nsystem_id: {new.system_id}\n{reached}"


def _write(path: Path, text: str) -> bool:
    """Write a new file; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
