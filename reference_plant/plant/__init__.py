"""The simulated plant: every value is a pure function of seed, scenarios, tag and time."""
