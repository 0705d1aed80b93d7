"""``python -m whatworks``."""

from whatworks.app.cli import main

main()
