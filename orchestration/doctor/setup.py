"""What a new site still lacks before data can flow: systems, their tags and secrets, keys, outlets."""

from __future__ import annotations

from collections.abc import Iterator

from ingestion.registry import SystemKind, SystemSpec
from orchestration.doctor.chain import read_register
from orchestration.doctor.diagnosis import Diagnosis, well, wrong
from orchestration.location import Location
from orchestration.settings import Settings
from orchestration.site import SettingsError

_REGISTER = "site_register"


def examine_setup(location: Location) -> Iterator[Diagnosis]:
    """What is not filled in yet; where everything is, one line that says so."""
    found = [*_systems(location), *_outlets(location)]
    yield from found
    if not found:
        yield well("setup", "站点文件已填写", "the site's files are filled in")


def _systems(location: Location) -> Iterator[Diagnosis]:
    if not location.systems:
        yield wrong(
            "systems",
            ("没有登记任何系统", "no system is declared"),
            (
                "在 systems/ 中为每个系统写一个 <system_id>.yml，见 systems/README.md",
                "write one <system_id>.yml for each system in systems/, see systems/README.md",
            ),
        )
    if location.stream_systems:
        yield from _verify_key(location.settings)
    for system in location.systems:
        if system.kind is SystemKind.OPCUA:
            yield from _tags(location.settings, system)
        if system.secret is not None:
            yield from _secret(location.settings, system, system.secret)


def _verify_key(settings: Settings) -> Iterator[Diagnosis]:
    if not (settings.site_dir / "pki" / "gateway_verify.pem").is_file():
        yield wrong(
            "pki/gateway_verify.pem",
            (
                "没有数据段验签公钥，落湖无法启动",
                "the key that verifies segments is missing: no landing",
            ),
            (
                "在控制区运行 chemlink keys --config collector.yml，把 gateway_verify.pem 拷到此处",
                "run `chemlink keys --config collector.yml` in the control zone, copy the .pem here",
            ),
        )


def _tags(settings: Settings, system: SystemSpec) -> Iterator[Diagnosis]:
    path = f"tags/{system.system_id}.csv"
    if not (settings.site_dir / path).is_file():
        yield wrong(
            f"system {system.system_id}",
            (f"没有点表 {path}", f"there is no tag table {path}"),
            (
                "以 tags/example.csv.template 为表头新建；分区部署时从控制区拷一份",
                "begin with the heading in tags/example.csv.template, or copy the control zone's table",
            ),
        )


def _secret(settings: Settings, system: SystemSpec, name: str) -> Iterator[Diagnosis]:
    try:
        settings.secrets(name)
    except SettingsError as error:
        remedy = f"secrets/{name}"
        yield wrong(
            f"system {system.system_id}",
            (f"没有密钥 {name}，无法连接", str(error)),
            (f"把连接地址写入 {remedy}，权限 0600", f"write the URL into {remedy}, mode 0600"),
        )


def _outlets(location: Location) -> Iterator[Diagnosis]:
    settings = location.settings
    register = read_register(settings.site_dir, settings.clock.now().astimezone(settings.zone).date())
    if _REGISTER not in {system.system_id for system in location.systems}:
        yield wrong(
            f"system {_REGISTER}",
            ("没有登记台账系统，排放口与限值不会入湖", "it is not declared: outlets and limits never land"),
            (f"新建 systems/{_REGISTER}.yml", f"make systems/{_REGISTER}.yml"),
        )
    for name, rows in (("outlets", register.outlets), ("outlet_points", register.points)):
        if not rows:
            yield wrong(
                f"registers/{name}.csv",
                ("没有今天有效的行，不会产生上报", "no row holds today: nothing will be reported"),
                (
                    f"填写 registers/{name}.csv，见站点 README.md",
                    f"fill in registers/{name}.csv, see README.md",
                ),
            )
