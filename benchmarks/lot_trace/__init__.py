"""Tracing a lot forward and backward over a million edges."""
