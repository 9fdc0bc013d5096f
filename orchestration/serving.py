"""`python -m orchestration.serving PROGRAM …`: a program of Dagster's, once the site's databases are there.

In one process, because loading Dagster takes seconds on a small machine: a program that only made the
databases would load it for nothing.
"""

from __future__ import annotations

import runpy
import sys

from orchestration.dagster_home import make_storage
from orchestration.settings import load_settings


def main(program: str) -> None:
    """Make the databases, then become the program; its arguments are the ones that follow its name."""
    make_storage(load_settings())
    del sys.argv[1]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
