"""Who logs in to a server: names with passwords and certificates, under each policy; what a refusal says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.security_policies import SECURITY_POLICY_TYPE_MAP, SecurityPolicyNone
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ingestion.collector.run import run_collector
from ingestion.collector.server_check import check_server
from ingestion.collector.session import open_session
from ingestion.collector.settings import CollectorSettings, SettingsError, load_settings
from ingestion.collector.user_login import LoginError
from protocols import opcua_time
from reference_plant.pki import application_identity
from tests.fakes import opcua_history
from tests.fakes.opcua_history import SERVER_URI, SYSTEM, free_port
from tests.fakes.scripted_site import until

POLICIES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
MODES = ("Sign", "SignAndEncrypt")
PASSWORD = "密码 with 空格"
KINDS = [ua.SecurityPolicyType[f"{policy.replace('_', '')}_{mode}"] for policy in POLICIES for mode in MODES]


@dataclass
class Users:
    """Lets one user and one certificate in; remembers how they came.

    Attributes:
        tokens: those that were let in, with the algorithm that hid the password or made the signature.
        sessions: how many sessions were asked for.
    """

    certificate: bytes
    tokens: list[tuple[str, str | None]] = field(default_factory=list)
    hidden_by: str | None = None

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if username is None and certificate == self.certificate:
            self.tokens.append(("certificate", None))
        elif (username, password) == ("operator", PASSWORD):
            self.tokens.append(("name", self.hidden_by))
        else:
            return None
        return User(role=UserRole.User)


@dataclass(frozen=True)
class Site:
    """A folder with all keys, and the certificate that servers let in."""

    root: Path
    port: int
    config: Path
    users: Users

    def settings(self, security: dict[str, Any], user: dict[str, Any] | None) -> CollectorSettings:
        content = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        content["servers"][0] |= {"security": security, **({"user": user} if user else {})}
        changed = self.root / "changed.yml"
        changed.write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_settings(changed)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    root = tmp_path_factory.mktemp("users")
    port = free_port()
    source = opcua_history.source_around_now(("A",), history_s=1, live_s=600)
    config = opcua_history.make_site(root, port, source)
    folder = root / "users"
    folder.mkdir()
    ours = application_identity("operator", "urn:chemlink:user", is_server=False)
    stranger = application_identity("stranger", "urn:chemlink:stranger", is_server=False)
    for name, identity in (("ours", ours), ("stranger", stranger)):
        (folder / f"{name}.der").write_bytes(identity.der)
        (folder / f"{name}.pem").write_bytes(identity.pem)
        for suffix, encryption in (
            ("key", NoEncryption()),
            ("locked", BestAvailableEncryption(b"key secret")),
        ):
            text = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
            (folder / f"{name}.{suffix}.pem").write_bytes(text)
    (folder / "password").write_text(PASSWORD + "\n", encoding="utf-8")
    (folder / "wrong").write_text("not this\n", encoding="utf-8")
    (folder / "key_password").write_text("key secret\n", encoding="utf-8")
    return Site(root, port, config, Users(ours.der))


@asynccontextmanager
async def serving(site: Site, *, token_policy: str = "") -> AsyncIterator[None]:
    """A server of every policy; `token_policy` is what it says of passwords, or its own wish."""
    opcua_time.install()
    site.users.tokens.clear()
    server = Server(user_manager=site.users)
    await server.init()
    await server.set_application_uri(SERVER_URI)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{site.port}/test")
    server.set_security_policy(KINDS)
    server.set_identity_tokens([ua.UserNameIdentityToken, ua.X509IdentityToken])
    own = site.root / "pki" / "servers" / SYSTEM
    await server.load_certificate(str(own / "cert.der"))
    await server.load_private_key(str(own / "key.pem"))
    decrypt = server.iserver.decrypt_user_token

    def remembering(session: Any, token: ua.UserNameIdentityToken) -> tuple[str, str]:
        site.users.hidden_by = token.EncryptionAlgorithm
        found: tuple[str, str] = decrypt(session, token)
        return found

    server.iserver.decrypt_user_token = remembering
    async with server:
        for endpoint in server.iserver.endpoints:
            for token in endpoint.UserIdentityTokens:
                if token.TokenType == ua.UserTokenType.UserName and token_policy == "endpoint":
                    token.SecurityPolicyUri = None  # none named: the endpoint's own
                elif token.TokenType == ua.UserTokenType.UserName and token_policy:
                    token.SecurityPolicyUri = token_policy
        yield


async def log_in(site: Site, settings: CollectorSettings) -> None:
    (server,) = settings.servers
    token = site.root / "session.json"
    token.unlink(missing_ok=True)
    async with open_session(server, settings, server.url, token) as session:
        assert len(session.namespaces) > 1


CERTIFICATE = {"certificate": "users/ours.der", "private_key": "users/ours.key.pem"}
NAME = {"name": "operator", "password_file": "users/password"}


def test_a_certificate_and_a_password_let_in_under_every_policy_and_mode(site: Site) -> None:
    async def scenario() -> None:
        async with serving(site, token_policy="endpoint"):
            for policy in POLICIES:
                for mode in MODES:
                    await log_in(site, site.settings({"policy": policy, "mode": mode}, CERTIFICATE))
                    await log_in(site, site.settings({"policy": policy, "mode": mode}, NAME))

    asyncio.run(scenario())
    algorithms = {kind.AsymmetricEncryptionURI for kind, *_ in map(SECURITY_POLICY_TYPE_MAP.get, KINDS)}
    assert [kind for kind, _ in site.users.tokens] == ["certificate", "name"] * 6
    # The password was hidden in each, by the algorithm of that policy.
    assert {algorithm for kind, algorithm in site.users.tokens if kind == "name"} == algorithms


def test_a_password_that_would_travel_readable_is_not_sent(site: Site) -> None:
    async def scenario() -> None:
        async with serving(site, token_policy=SecurityPolicyNone.URI):
            await log_in(site, site.settings({"mode": "SignAndEncrypt"}, NAME))
            with pytest.raises(LoginError, match=r"以明文传输.* / .*would travel in plain text"):
                await log_in(site, site.settings({"mode": "Sign"}, NAME))

    asyncio.run(scenario())
    assert len(site.users.tokens) == 1


def test_an_encrypted_key_is_opened_by_a_password_kept_elsewhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = {"certificate": "users/ours.pem", "private_key": "users/ours.locked.pem"}
    monkeypatch.setenv("USER_KEY_PASSWORD", "key secret")

    async def scenario() -> None:
        async with serving(site):
            await log_in(site, site.settings({}, {**locked, "private_key_password_env": "USER_KEY_PASSWORD"}))
            await log_in(
                site, site.settings({}, {**locked, "private_key_password_file": "users/key_password"})
            )
            for wrong in ({}, {"private_key_password_file": "users/wrong"}):
                with pytest.raises(LoginError, match=r"无法读取用户私钥 .* / reading the user's key"):
                    await log_in(site, site.settings({}, {**locked, **wrong}))

    asyncio.run(scenario())
    assert len(site.users.tokens) == 2


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (
            {"certificate": "users/stranger.der", "private_key": "users/stranger.key.pem"},
            "BadUserAccessDenied",
        ),
        ({"name": "operator", "password_file": "users/wrong"}, "BadUserAccessDenied"),
        ({"certificate": "users/ours.der", "private_key": "users/stranger.key.pem"}, "不是一对"),
        ({"certificate": "users/nowhere.der", "private_key": "users/ours.key.pem"}, "无法读取用户证书"),
        ({"name": "operator", "password_file": "users/nowhere"}, "密码应在该文件第一行"),
        (None, "只接受"),
    ],
    ids=["certificate", "password", "pair", "no certificate", "no password", "anonymous"],
)
def test_who_is_not_let_in_is_told_so_in_both_languages(
    site: Site, user: dict[str, str] | None, told: str
) -> None:
    settings = site.settings({}, user)

    async def scenario() -> None:
        async with serving(site):
            with pytest.raises(LoginError) as refused:
                await log_in(site, settings)
            assert told in refused.value.zh
            assert refused.value.en
            checks = await check_server(settings.servers[0], settings)
            found = next(check for check in checks if check.subject == f"server 服务器 {SYSTEM}")
            assert (found.level, refused.value.zh in found.found_zh) == ("error", True)
            assert "servers[].user" in found.remedy_zh

    asyncio.run(scenario())
    assert not site.users.tokens


@pytest.mark.parametrize(
    "user",
    [
        {"name": "a"},
        {"certificate": "a"},
        {"name": "a", "password_env": "B", "private_key_password_env": "C"},
        {"name": "a", "password_env": "B", "certificate": "c", "private_key": "d"},
        {
            "certificate": "c", "private_key": "d",
            "private_key_password_env": "E", "private_key_password_file": "f",
        },
    ],
    ids=["no password", "no key", "key password without key", "both", "two key passwords"],
)  # fmt: skip
def test_a_user_that_is_named_by_halves_is_refused(site: Site, user: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="expected name with"):
        site.settings({}, user)


def test_a_collector_whose_certificate_is_refused_says_so_and_collects_once_it_is_let_in(
    tmp_path: Path, site: Site
) -> None:
    source = opcua_history.source_around_now(("A",), history_s=1, live_s=1)
    port = free_port()
    config = opcua_history.make_site(tmp_path, port, source)
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    user = tmp_path / "user.der"
    user.write_bytes((site.root / "users" / "stranger.der").read_bytes())
    key = tmp_path / "user.pem"
    key.write_bytes((site.root / "users" / "stranger.key.pem").read_bytes())
    content["servers"][0]["user"] = {"certificate": str(user), "private_key": str(key)}
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    reader = Reader(tmp_path)

    async def scenario() -> None:
        stop = asyncio.Event()
        async with opcua_history.serve(tmp_path, port, source, user_certificate=site.users.certificate):
            running = asyncio.create_task(run_collector(config, stop))
            await until(lambda: "BadUserAccessDenied" in str(reader.status().get("last_error")))
            assert "被服务器拒绝" in reader.status()["last_error"]
            key.write_bytes((site.root / "users" / "ours.key.pem").read_bytes())
            user.write_bytes((site.root / "users" / "ours.der").read_bytes())
            await until(lambda: reader.points() == source.count)
            stop.set()
            await running

    asyncio.run(scenario())
    assert reader.status()["certificate_days_left"]["user_certificate"] > 3600


@dataclass(frozen=True)
class Reader:
    """What a collector's folder holds."""

    root: Path

    def status(self) -> dict[str, Any]:
        path = self.root / "var" / "collector" / SYSTEM / "status.json"
        return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}

    def points(self) -> int:
        return int(self.status().get("points_total") or 0)
