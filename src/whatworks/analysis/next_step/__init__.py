"""What a further arm is expected to bring, from what was measured, and what came. Pure."""
