"""`chemlink verify`: a submission, a kept proof, a copy of the log, or everything that is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import SiteOption
from orchestration.cli.output import fail, say, writing


def verify(
    submission: Annotated[
        str | None,
        typer.Argument(
            help="Its idempotency key, a bundle file, or a folder with a copy of the log "
            "上报键、证明文件或日志副本目录."
        ),
    ] = None,
    site: SiteOption = None,
    save: Annotated[Path | None, typer.Option(help="Write the proof bundle here 保存证明文件.")] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The log's public key; default: the site's 日志公钥，默认取自站点."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A checkpoint or bundle kept earlier, which the log must continue 早先留存的检查点."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Check every submission, leaf, checkpoint and tile 核对全部存储.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make it again from its Delta version 从数据版本重建.")
    ] = False,
) -> None:
    """Prove what was sent and answered, from the tamper-evident log. Files need no site, only --key.

    用防篡改日志证明发送了什么、对方回了什么；核对文件时只需 --key，无需站点。不成立时退出码为 3。
    """
    from orchestration.proving import read_checkpoint

    kept = None if checkpoint is None else read_checkpoint(checkpoint)
    if everything:
        _verify_all(site, key, kept)
    elif submission is None:
        fail(
            "chemlink: give a key, a bundle, a folder, or --all 请给出上报键、证明文件、目录或 --all",
            ExitCode.USAGE,
        )
    elif Path(submission).is_dir():
        _verify_copy(Path(submission), _key(site, key), kept)
    elif rebuild:
        _rebuild(site, submission)
    else:
        _verify_one(submission, site, save, key, kept)


def _verify_one(
    submission: str, site: Path | None, save: Path | None, key: Path | None, kept: str | None
) -> None:
    from orchestration.proving import make_bundle, read_bundle, verify_bundle
    from orchestration.settings import load_settings

    path = Path(submission)
    bundle = read_bundle(path) if path.is_file() else make_bundle(load_settings(site), submission, kept)
    if save is not None:
        with writing(save):
            save.write_text(json.dumps(bundle, ensure_ascii=False, indent=1), encoding="utf-8")
        say(str(save))
    verdict = verify_bundle(bundle, _key(site, key), kept)
    if not verdict.holds:
        fail("\n".join(verdict.faults), ExitCode.PROBLEMS)
    for fact in verdict.facts:
        say(_told(fact))
    assert verdict.checkpoint is not None, "a verdict that holds has a head"
    say(f"log 日志: {verdict.checkpoint.origin}, {verdict.checkpoint.tree_size} leaves 条")
    say("proved 证明成立")


def _told(fact: Mapping[str, Any]) -> str:
    names = (
        "content_sha256",
        "content_sm3",
        "source_table",
        "delta_version",
        "code_version",
        "receipt_sha256",
    )
    known = ", ".join(f"{name} {fact[name]}" for name in names if fact.get(name) is not None)
    return f"{fact['at_utc']} {fact['kind']}: {known}"


def _verify_copy(folder: Path, key: Path, kept: str | None) -> None:
    from orchestration.proving import check_copy

    if faults := check_copy(folder, key, kept):
        fail("\n".join(faults), ExitCode.PROBLEMS)
    say("every file of the log holds 日志文件全部成立")


def _verify_all(site: Path | None, key: Path | None, kept: str | None) -> None:
    from orchestration.proving import check_site
    from orchestration.settings import load_settings

    report = check_site(load_settings(site), _key(site, key), kept)
    say(
        f"{report.submissions} submissions 次上报, {report.leaves} leaves 条日志 "
        f"({report.unsigned} not signed yet 尚未签名), {report.checkpoints} checkpoints 个检查点"
    )
    if report.faults:
        fail("\n".join(report.faults), ExitCode.PROBLEMS)
    say("nothing was altered 未发现改动")


def _rebuild(site: Path | None, submission: str) -> None:
    from orchestration.proving import rebuild_submission
    from orchestration.settings import load_settings

    rebuilt = rebuild_submission(load_settings(site), submission)
    say(rebuilt.made_from)
    told = f"{rebuilt.detail_zh} · {rebuilt.detail_en}"
    if rebuilt.outcome != "identical":
        fail(told, ExitCode.PROBLEMS)
    say(told)


def _key(site: Path | None, key: Path | None) -> Path:
    from orchestration.proving import log_verify_key_path
    from orchestration.settings import load_settings

    return key if key is not None else log_verify_key_path(load_settings(site))
