"""What carries a lake's tables from one layout version to the next; a step can be run again."""

from collections.abc import Callable

from lake.layout import LakePaths
from lake.migrations.layouts import l0002_alarm_states

STEPS: dict[int, Callable[[LakePaths], None]] = {2: l0002_alarm_states.upgrade}
"""By the version that a step leads to."""
