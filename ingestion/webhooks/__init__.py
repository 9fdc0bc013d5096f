"""Events that other systems send by HTTP: received, kept, landed once."""
