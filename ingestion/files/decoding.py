"""Bytes of a text file → text, whatever Chinese systems write: UTF-8, UTF-16, GBK, GB18030.

A few damaged bytes do not change the encoding of a file: they stay visible as surrogates, and the rows they
stand in are refused.
"""

from __future__ import annotations

import codecs

from ingestion.errors import RefusedFileError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LOOKED_AT = 65_536
_MOST_DAMAGED = 0.3  # of the bytes that are not ASCII
_MOST_ZEROS = 0.01


def decode(content: bytes, declared: str | None = None) -> tuple[str, str]:
    """The text and the name of its encoding.

    Args:
        content: the whole file.
        declared: the encoding that the layout names.

    Raises:
        RefusedFileError: the bytes are no text in any of the encodings, or the declared one is unknown.
    """
    name = declared or _found(content)
    try:
        text = content.decode(name, errors="surrogateescape" if name not in _WIDE else "replace")
    except (LookupError, UnicodeError) as error:
        raise RefusedFileError(
            reason_zh=f"文件不是 {name} 编码的文本；请以 UTF-8 或 GB18030 重新导出",
            reason_en=f"the file is no text in {name} ({type(error).__name__}); export UTF-8 or GB18030",
        ) from error
    if text.startswith("\ufeff"):
        text = text[1:]
    return text, name


_WIDE = {"utf-16", "utf-16-le", "utf-16-be", "utf-32"}


def _found(content: bytes) -> str:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name
    head = content[:_LOOKED_AT]
    wide = _without_mark(head)
    if wide:
        return wide
    if head.count(0) > len(head) * _MOST_ZEROS:
        raise RefusedFileError(
            reason_zh="文件含大量零字节，不是文本文件；请导出为 CSV、xlsx、XML 或 JSON",
            reason_en="the file is full of zero bytes and is no text; export CSV, xlsx, XML or JSON",
        )
    # Read as UTF-8, Chinese in GBK is damage nearly throughout; the other way round it may look sound.
    for name in ("utf-8", "gb18030"):
        if _is_clean(content, name) or _damage(content, name) < _MOST_DAMAGED:
            return name
    raise RefusedFileError(
        reason_zh="文件既不是 UTF-8 也不是 GB18030 文本；请以 UTF-8 或 GB18030 重新导出",
        reason_en="the file is neither UTF-8 nor GB18030 text; export it as UTF-8 or GB18030",
    )


def _without_mark(head: bytes) -> str | None:
    """UTF-16 without its mark: every second byte of its ASCII is zero."""
    if len(head) < 4 or (len(head) % 2 and len(head) < _LOOKED_AT):
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.3 and even < half * 0.01:
        return "utf-16-le"
    if even > half * 0.3 and odd < half * 0.01:
        return "utf-16-be"
    return None


def _is_clean(content: bytes, name: str) -> bool:
    try:
        content.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _damage(content: bytes, name: str) -> float:
    """The share of bytes beyond ASCII that the encoding cannot read."""
    beyond = sum(1 for byte in content[:_LOOKED_AT] if byte > 127)
    lost = sum(
        1 for letter in content[:_LOOKED_AT].decode(name, "surrogateescape") if "\ud800" <= letter <= "\udfff"
    )
    return lost / beyond if beyond else 0.0
