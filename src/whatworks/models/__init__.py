"""Models: weights with their lineage, the engine seam and its implementations, metering."""
