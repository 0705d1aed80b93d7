"""The command line: one module per group of commands.

Nothing heavy is imported before a command needs it. A new group is one module here with commands
on ``app``; it is found by being there. What stands beside the product (the claims, the embedded
model's recipe) brings its commands by the entry point group ``whatworks.commands``.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from importlib import import_module
from importlib.metadata import entry_points

from whatworks.app.cli.app import app
from whatworks.base.errors import WhatworksError, make_storage_error
from whatworks.models.local.threads import BRIEF_WAITS

__all__ = ["app", "main"]

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
for _entry in entry_points(group="whatworks.commands"):
    _entry.load()


def main() -> None:
    """Entry point: an error of ours, or of the disk, is one or two lines and exit code 2."""
    for name, value in BRIEF_WAITS.items():  # before a command loads what reads it
        os.environ.setdefault(name, value)
    try:
        app()
    except Exception as error:
        ours = error if isinstance(error, WhatworksError) else make_storage_error(error)
        if ours is None:
            raise
        print(f"whatworks: {ours}", file=sys.stderr)
        sys.exit(2)
