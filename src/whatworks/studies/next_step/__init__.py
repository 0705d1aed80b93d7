"""Further arms of a study: proposed from its diagnosis, written into its file."""
