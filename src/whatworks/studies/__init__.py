"""Studies: the file, the folder, the plan, the checks, and the run of arms and seeds."""
