"""Pure computations on numbers and frames: no I/O but the packaged reference tables, no imports of ours.

Every computation is declared in `transforms.registry`; importing this package registers all of them.
"""

from transforms import emission, gas_conditions, marks, oxygen, statistics, water
from transforms.registry import Computation, registered

__all__ = [
    "Computation",
    "emission",
    "gas_conditions",
    "marks",
    "oxygen",
    "registered",
    "statistics",
    "water",
]
