"""Finished studies told to experiment trackers: one file each, chosen by ``track:``."""
