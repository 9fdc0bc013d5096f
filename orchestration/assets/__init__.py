"""Asset factories, one module a stage: streams, extracts, models, exports, operations.

A factory takes the code location and gives definitions. The work itself is done in the packages below.
"""
