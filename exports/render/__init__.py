"""Report rows to the bytes that go on the wire; pure functions."""
