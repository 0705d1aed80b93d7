"""What a program or a notebook uses: a study from rows in memory, and its result."""
