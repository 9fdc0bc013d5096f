"""What holds for every test: a property is judged by what it finds, never by how long the machine took."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
