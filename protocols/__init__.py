"""Wire formats used on both sides of a boundary: HJ 212 frames, segments, Merkle proofs, plant time."""
