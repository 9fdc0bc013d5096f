"""`python -m orchestration.cli`: the same as `chemlink`, for processes that start processes."""

from orchestration.cli import main

main()
