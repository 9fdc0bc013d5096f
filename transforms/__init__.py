"""Pure computations on frames and numbers; no I/O and no imports of ours."""
