"""Who logs in to a server: a name with a password, or a certificate with its key (Part 4 §7.40).

Passwords stand in a file or in the environment, never in the settings.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.crypto.security_policies import SecurityPolicyNone
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from ingestion.collector.trust import TrustError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asyncua import Client

    from ingestion.collector.settings import UserSettings

# How a server says that it does not let this user in.
_REFUSALS = frozenset(
    (
        ua.StatusCodes.BadIdentityTokenInvalid,
        ua.StatusCodes.BadIdentityTokenRejected,
        ua.StatusCodes.BadUserAccessDenied,
        ua.StatusCodes.BadUserSignatureInvalid,
    )
)


class LoginError(TrustError):
    """The user cannot log in: the server refuses, or password, certificate or key cannot be used.

    Attributes:
        zh: what was found, what was expected and what to do, in Chinese.
        en: the same in English.
    """

    def __init__(self, told: tuple[str, str]) -> None:
        self.zh, self.en = told
        super().__init__(f"{self.zh} / {self.en}")


@dataclass(frozen=True)
class UserCertificate:
    """A user's certificate and the private key that belongs to it."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def log_in_as(client: Client, user: UserSettings | None, *, is_plain_text_allowed: bool) -> None:
    """Give the client the user that its next session is activated with.

    Args:
        client: not connected yet; its security and what user tokens its endpoint takes are known.
        user: who; none for anonymous.
        is_plain_text_allowed: whether a password may travel so that others on the network can read it.

    Raises:
        LoginError: password, certificate or key is not where the settings say, or the server takes no such
            user, or would have the password unencrypted.
    """
    _require_token(client, user)
    if user is None:
        return
    if user.name is None:
        found = load_user_certificate(user)
        client.user_certificate, client.user_private_key = found.certificate, found.key
        return
    if not is_plain_text_allowed:
        _require_encryption(client, user.name)
    client.set_user(user.name)
    client.set_password(_secret(_who(user), user.password_env, user.password_file))


def load_user_certificate(user: UserSettings) -> UserCertificate:
    """The user's certificate and key, DER or PEM.

    Raises:
        LoginError: a file is missing or unreadable, the key's password wrong, or the two do not belong
            together.
    """
    assert user.certificate is not None
    assert user.private_key is not None
    certificate = read_user_certificate(user.certificate)
    key = _read_key(user.private_key, _key_password(user))
    if certificate.public_key() != key.public_key():
        raise LoginError(
            (
                f"用户证书 {user.certificate} 与私钥 {user.private_key} 不是一对；"
                "请在 collector.yml 中写上配套的两个文件",
                f"the user's certificate {user.certificate} and key {user.private_key} do not belong "
                "together; name the two files of one pair in collector.yml",
            )
        )
    return UserCertificate(certificate, key)


def read_user_certificate(path: Path) -> x509.Certificate:
    """A certificate, DER or PEM.

    Raises:
        LoginError: the file is missing or holds none.
    """
    try:
        content = path.read_bytes()
        is_pem = content.lstrip().startswith(b"-----")
        return x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
    except (OSError, ValueError) as error:
        raise LoginError(
            (
                f"无法读取用户证书 {path}（{error}）；应为 DER 或 PEM 格式的 X.509 证书，"
                "请更正 servers[].user.certificate",
                f"reading the user's certificate {path}: {error}; expected X.509 as DER or PEM, correct "
                "servers[].user.certificate",
            )
        ) from error


def refusal(error: ua.UaStatusCodeError, user: UserSettings | None, url: str) -> LoginError | None:
    """What a status means when a session is activated; none where it does not speak of the user."""
    if error.code not in _REFUSALS:
        return None
    name = ua.status_codes.get_name_and_doc(error.code)[0]
    zh, en = _who(user)
    return LoginError(
        (
            f"以{zh}登录 {url} 被服务器拒绝（{name}）；"
            "请在服务器上核对该用户或证书是否受信、是否到期、是否有权限，"
            "以及 collector.yml 的 servers[].user",
            f"logging in to {url} as {en}: the server refuses ({name}); look at the server whether it trusts "
            "that user or certificate, whether it is over and what it may do, and compare servers[].user in "
            "collector.yml",
        )
    )


def _who(user: UserSettings | None) -> tuple[str, str]:
    if user is None:
        return "匿名用户", "nobody (anonymous)"
    if user.name is not None:
        return f"用户 {user.name}", f"user {user.name}"
    return f"用户证书 {user.certificate}", f"the user of certificate {user.certificate}"


def _token_type(user: UserSettings | None) -> ua.UserTokenType:
    if user is None:
        return ua.UserTokenType.Anonymous
    return ua.UserTokenType.Certificate if user.name is None else ua.UserTokenType.UserName


def _require_token(client: Client, user: UserSettings | None) -> None:
    wanted, offered = _token_type(user), _offered(client._policy_ids)
    if offered and wanted.name not in offered:
        zh, en = _who(user)
        raise LoginError(
            (
                f"以{zh}登录：服务器该端点只接受 {offered}，需要 {wanted.name}；"
                "请在服务器上启用，或更改 servers[].user",
                f"logging in as {en}: the server's endpoint takes {offered}, expected {wanted.name}; switch "
                "that on at the server or change servers[].user",
            )
        )


def _offered(policies: Sequence[ua.UserTokenPolicy]) -> list[str]:
    return sorted({policy.TokenType.name for policy in policies})


def _require_encryption(client: Client, name: str) -> None:
    is_hidden = client.security_policy.Mode == ua.MessageSecurityMode.SignAndEncrypt
    if (
        is_hidden
        or client.server_policy(ua.UserTokenType.UserName).SecurityPolicyUri != SecurityPolicyNone.URI
    ):
        return
    raise LoginError(
        (
            f"用户 {name} 的密码将以明文传输：服务器不加密密码，连接也只签名；请改用 mode: SignAndEncrypt",
            f"the password of user {name} would travel in plain text: the server wants it unencrypted and "
            "the messages are only signed; use mode: SignAndEncrypt",
        )
    )


def _key_password(user: UserSettings) -> bytes | None:
    env, file = user.private_key_password_env, user.private_key_password_file
    if env is None and file is None:
        return None
    return _secret((f"私钥 {user.private_key}", f"key {user.private_key}"), env, file).encode()


def _read_key(path: Path, password: bytes | None) -> rsa.RSAPrivateKey:
    try:
        content = path.read_bytes()
        is_pem = content.lstrip().startswith(b"-----")
        key = load_pem_private_key(content, password) if is_pem else load_der_private_key(content, password)
        reason: object = "" if isinstance(key, rsa.RSAPrivateKey) else f"{type(key).__name__}, no RSA key"
    except (OSError, ValueError, TypeError) as error:
        key, reason = None, error
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    raise LoginError(
        (
            f"无法读取用户私钥 {path}（{reason}）；应为 RSA 私钥（PEM 或 DER），加密的私钥请写 "
            "private_key_password_file 或 private_key_password_env，未加密的不要写",
            f"reading the user's key {path}: {reason}; expected an RSA key as PEM or DER, with "
            "private_key_password_file or private_key_password_env if, and only if, it is encrypted",
        )
    )


def _secret(whose: tuple[str, str], env: str | None, file: Path | None) -> str:
    """A password from the environment or from the first line of a file."""
    zh, en = whose
    if env is not None:
        found = os.environ.get(env)
        if not found:
            raise LoginError(
                (
                    f"{zh}的密码：环境变量 {env} 未设置；请设置后重启采集器",
                    f"password of {en}: no {env} in the environment; set it and start the collector again",
                )
            )
        return found
    assert file is not None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise LoginError(
            (
                f"{zh}的密码：无法读取 {file}（{error}）；密码应在该文件第一行",
                f"password of {en}: reading {file}: {error}; expected the password on its first line",
            )
        ) from error
    if not lines or not lines[0]:
        raise LoginError(
            (
                f"{zh}的密码：{file} 为空；密码应在第一行",
                f"password of {en}: {file} is empty; expected it on its first line",
            )
        )
    return lines[0]
