"""Great Expectations gates and reconciliations; the library itself is imported only when a gate runs."""
