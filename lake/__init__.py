"""Storage: the only writer of Delta, the state store, the DuckDB catalog and the Parquet publication."""
