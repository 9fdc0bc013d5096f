"""What the exit codes of `chemlink` mean: the one place that says so."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts and alarms."""

    OK = 0  # did what was asked
    FAILURE = 1  # tried and failed; the message says why
    USAGE = 2  # asked wrongly: unknown option, no site, wrong settings
    PROBLEMS = 3  # worked, and found problems: doctor, findings, verify, contract check
    NOT_RUNNING = 4  # status or down: nothing of this site is running


EXIT_CODES_HELP = (
    "Exit codes 退出码: 0 ok 成功 · 1 failure 失败 · 2 usage or settings 用法或配置错误 · "
    "3 problems found 发现问题 · 4 not running 未在运行"
)
