"""A segment stream of the shape of the national monitoring system: 440,000 tags, 9,300 values a second."""
