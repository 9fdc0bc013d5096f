"""The embedded default: a simulated fine-chemical site and the strict receivers that judge us."""
