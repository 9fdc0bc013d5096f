"""Asset checks: contracts on raw tables, gates before reports, delivery on time, two ways to one number.

A check looks and says; it changes nothing but findings.
"""
