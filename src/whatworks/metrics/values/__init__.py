"""What a short text stands for: a number, a range, a time, a date, read in a stated locale."""
