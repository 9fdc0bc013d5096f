"""The stations a platform has registered: what a regulator would have entered for the reference plant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Station:
    """One monitoring station: its device number and the only system code it may use."""

    mn: str
    st: str
    outlet: str


REFERENCE_STATIONS = (
    Station("320400000000000000000DA1", "31", "DA001"),
    Station("320400000000000000000DA2", "31", "DA002"),
    Station("320400000000000000000D01", "32", "DW001"),
    Station("320400000000000000000E01", "32", "YS001"),
)
