"""Changes to a prompt that its errors suggest, and races between them on dev."""
