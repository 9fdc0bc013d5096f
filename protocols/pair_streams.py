"""The streams of a pair of collectors: each of the two numbers and signs its own, so that none ever collide.

The main collector's are named as those of a single one (`opcua_a.points`), the spare's carry a suffix
(`opcua_a.points_spare`). Both go into one raw table.
"""

from __future__ import annotations

SPARE_SUFFIX = "_spare"


def family_of(stream: str) -> str:
    """What the streams of both collectors have in common: the name of the main collector's."""
    return stream.removesuffix(SPARE_SUFFIX)


def sibling_of(stream: str) -> str:
    """The stream of the same system and kind that the other collector of the pair would seal."""
    family = family_of(stream)
    return family if stream != family else f"{family}{SPARE_SUFFIX}"
