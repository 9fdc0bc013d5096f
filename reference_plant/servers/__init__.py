"""OPC UA servers of the reference plant: one process per control system, history computed from the plant."""
