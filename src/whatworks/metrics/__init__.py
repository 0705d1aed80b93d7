"""Metrics: ``score`` says what a score is, ``registry`` finds a metric by its name."""
