"""Sources that send by themselves: MQTT brokers and HJ 212 instruments, into the same segments as OPC UA."""
