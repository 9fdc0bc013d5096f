"""Gates on manual records and on reports before they leave; reconciliations of two ways to one number.

Great Expectations takes seconds to import: only `gates.py` touches it, inside its functions.
"""
