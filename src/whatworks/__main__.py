"""``python -m whatworks``."""

from whatworks.cli import main

main()
