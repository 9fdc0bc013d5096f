"""The open gaps, read again only when they may be others: after a day of silence they are ten thousands."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from ingestion import landing_state


class OpenGaps:
    """The open gaps of every stream, as last read.

    Another process may land as well. It records a gap before it moves past it, so a stream's position that is
    another than at the last reading is the sign to read again: a number taken for landed while it is an open
    gap would be thrown away. A gap closed meanwhile is handed on once more and found landed.
    """

    def __init__(self) -> None:
        self._gaps: dict[str, set[int]] | None = None
        self._positions: Mapping[str, int] = {}

    def forget(self) -> None:
        """Read again the next time: this process records gaps."""
        self._gaps = None

    def read(self, connection: Connection, positions: Mapping[str, int]) -> Mapping[str, set[int]]:
        """The missing numbers not refilled yet, by stream.

        Args:
            connection: the transaction in which the positions were read.
            positions: the last landed sequence of each stream.
        """
        if self._gaps is None or positions != self._positions:
            self._gaps, self._positions = landing_state.open_gaps(connection), dict(positions)
        return self._gaps
