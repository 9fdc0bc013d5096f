"""`chemlink collect trust`: which servers are believed, and the moves between the two lists."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.exits import ExitCode
from orchestration.cli.options import ConfigOption, JsonOption
from orchestration.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from ingestion.collector.trust_list import KnownCertificate

app = typer.Typer(help="The collector's trust list 信任列表.", no_args_is_help=True)
_STATES = {"own": "own 本机", "trusted": "trusted 受信", "rejected": "rejected 已拒绝"}
FingerprintArgument = Annotated[
    str, typer.Argument(help="SHA-256 fingerprint, or the beginning of it 指纹或其开头.")
]


@app.callback()
def group() -> None:
    """The collector's trust list.

    采集器的信任列表。
    """


@app.command("list")
def list_(config: ConfigOption, as_json: JsonOption = False) -> None:
    """List own, trusted and refused certificates; exit code 3 when one that is used is over.

    列出本机、受信和被拒绝的证书；在用证书过期时退出码为 3。
    """
    from ingestion.collector.settings import load_settings
    from ingestion.collector.trust_list import certificates

    known = certificates(load_settings(config).pki)
    if as_json:
        print_json([_plain(one) for one in known])
    else:
        rows = [
            [
                _STATES[one.state],
                one.fingerprint[:16],
                one.subject,
                f"{one.not_after:%Y-%m-%d}",
                one.days_left,
            ]
            for one in known
        ]
        print_table(["state 状态", "SHA-256", "subject 主体", "until 有效至", "days left 剩余天数"], rows)
        for one in known:
            for zh, en in one.warnings:
                say(f"! {one.fingerprint[:16]}: {zh} | {en}")
    if any(one.days_left < 0 for one in known if one.state != "rejected"):
        raise typer.Exit(ExitCode.PROBLEMS)


@app.command()
def show(config: ConfigOption, fingerprint: FingerprintArgument, as_json: JsonOption = False) -> None:
    """Show one certificate whole, to compare it with what the server's own tool shows.

    显示一份证书的全部信息，用于与服务器自带工具核对。
    """
    from ingestion.collector.settings import load_settings
    from ingestion.collector.trust_list import find

    one = find(load_settings(config).pki, fingerprint)
    if as_json:
        print_json(_plain(one))
        return
    for name, value in {
        "state 状态": _STATES[one.state],
        "SHA-256 指纹": " ".join(one.fingerprint[at : at + 4] for at in range(0, 64, 4)),
        "subject 主体": one.subject,
        "issuer 签发者": one.issuer,
        "application 应用 URI": one.application_uri or "—",
        "valid 有效期": f"{one.not_before:%Y-%m-%d %H:%M} – {one.not_after:%Y-%m-%d %H:%M} UTC",
        "days left 剩余天数": one.days_left,
        "key 密钥": f"RSA {one.key_bits}" if one.key_bits else "—",
        "file 文件": one.path,
        "warnings 提醒": "; ".join(f"{zh} {en}" for zh, en in one.warnings) or "—",
    }.items():
        say(f"{name}: {value}")


@app.command()
def accept(config: ConfigOption, fingerprint: FingerprintArgument, as_json: JsonOption = False) -> None:
    """Trust a server's refused certificate; compare the fingerprint at the server first.

    信任一份被拒绝的服务器证书；执行前务必在服务器上核对指纹。
    """
    from ingestion.collector.settings import load_settings
    from ingestion.collector.trust_list import accept as run

    _told(run(load_settings(config).pki, fingerprint), "trusted 已信任", as_json=as_json)


@app.command()
def remove(config: ConfigOption, fingerprint: FingerprintArgument, as_json: JsonOption = False) -> None:
    """Trust a server no longer; its certificate is kept among the refused ones.

    取消信任；证书移到被拒绝列表，可再次接受。已建立的连接在下次重连时生效。
    """
    from ingestion.collector.settings import load_settings
    from ingestion.collector.trust_list import remove as run

    _told(run(load_settings(config).pki, fingerprint), "no longer trusted 已取消信任", as_json=as_json)


def _told(one: KnownCertificate, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(one))
        return
    say(f"{what}: {one.subject} ({one.fingerprint})")
    for zh, en in one.warnings:
        say(f"! {zh} | {en}")


def _plain(one: KnownCertificate) -> dict[str, Any]:
    warnings = [{"zh": zh, "en": en} for zh, en in one.warnings]
    return {**asdict(one), "days_left": one.days_left, "warnings": warnings}
