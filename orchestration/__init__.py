"""Putting the parts in order: settings, command line, Dagster code location, tick, doctor.

The only package that imports Dagster, and only in the modules that make its code location.
"""
