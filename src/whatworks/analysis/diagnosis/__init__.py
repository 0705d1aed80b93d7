"""Why an arm fails: what was given to its wrong answers, and what that mended. Pure."""
