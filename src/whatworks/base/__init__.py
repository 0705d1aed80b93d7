"""What every room stands on: errors, frozen values, the store, progress, phrasing, paths."""
