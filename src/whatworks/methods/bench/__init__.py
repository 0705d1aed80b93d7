"""The bench: the only door that a method has to the world."""
