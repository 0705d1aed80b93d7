"""The metric ``sql``: parsed, run on a database in a sandbox, compared by its result."""
