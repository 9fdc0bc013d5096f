"""Faults a test can switch on in a receiver while it runs."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import Any


@dataclass
class Faults:
    """What goes wrong between accepting something and telling the sender so."""

    drop_next: int = 0  # so many answers are kept back
    drop_probability: float = 0.0  # and of the rest this share
    delay_s: float = 0.0  # real seconds before an answer goes out
    closed: bool = False  # out of order until switched back
    seed: int = 0

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def drops_answer(self) -> bool:
        """Whether this answer is kept back; counts it."""
        if self.drop_next > 0:
            self.drop_next -= 1
            return True
        return self._draw.random() < self.drop_probability

    def switch(self, wanted: dict[str, Any]) -> None:
        """Set the named faults.

        Raises:
            ValueError: there is no such fault.
        """
        known = {field.name for field in fields(self)}
        unknown = sorted(set(wanted) - known)
        if unknown:
            msg = f"switching faults: found {unknown}, expected some of {sorted(known)}"
            raise ValueError(msg)
        for name, value in wanted.items():
            setattr(self, name, value)
        if "seed" in wanted:
            self._draw = random.Random(self.seed)
