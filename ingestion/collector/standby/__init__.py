"""Two collectors of the same systems in the control zone: one collects, the other stands by."""
