"""Loading without the libraries' own displays."""

from __future__ import annotations

import contextlib
from collections.abc import Generator


@contextlib.contextmanager
def silence_loading() -> Generator[None]:
    """No progress bars and reports while loading: our own displays would be torn apart."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
