"""Bringing data in: control-zone collector, one-way gateway, business connectors, landing."""
