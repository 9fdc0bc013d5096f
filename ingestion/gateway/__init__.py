"""One-way transports and the receiver that verifies, orders and records what is missing."""
