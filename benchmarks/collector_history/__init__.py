"""Values a client CPU second of HistoryRead, beside node-opcua and asyncua."""
