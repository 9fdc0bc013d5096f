"""One class a transport; each delivers one submission and returns the receiver's answer."""
