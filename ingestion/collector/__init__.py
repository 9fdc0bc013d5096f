"""The control zone's collector: OPC UA sessions, history catch-up, sealed segments; it only sends."""
