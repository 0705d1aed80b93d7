"""What rows say: comparisons, verdicts, mistakes, diagnosis, figures. Pure functions over rows."""
