"""Measured side by side with peers, one command each; results are committed as JSON."""
