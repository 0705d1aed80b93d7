"""The command line: one module per group of commands.

Nothing heavy is imported before a command needs it. A new group is one module with commands on
``app``, and its name in the import below.
"""

from __future__ import annotations

import sys

from whatworks.cli import errors, lab, studies
from whatworks.cli.app import app
from whatworks.errors import WhatworksError

__all__ = ["app", "errors", "lab", "main", "studies"]


def main() -> None:
    """Entry point: an error of ours is one or two lines and exit code 2."""
    try:
        app()
    except WhatworksError as error:
        print(f"whatworks: {error}", file=sys.stderr)
        sys.exit(2)
