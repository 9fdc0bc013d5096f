"""Frames a second through the HJ 212 codec on one core."""
