"""What a user runs: the command line, the report, export and serving. Thin."""
