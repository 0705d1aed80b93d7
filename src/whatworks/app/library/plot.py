"""A chart of the report that stands alone, in a notebook or a file."""

from __future__ import annotations

import html
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from whatworks.base.store import write_atomic


@dataclass(frozen=True)
class Plot:
    """A drawing with the report's own style.

    Attributes:
        svg: The drawing; its colours are the style's, light or dark as the reader has it.
        title: What it shows.
    """

    svg: str
    title: str

    @property
    def page(self) -> str:
        """A page with nothing else."""
        style = files("whatworks.app.report").joinpath("templates/report.css").read_text("utf-8")
        title = html.escape(self.title)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{style}</style></head><body><main>{self.svg}</main></body></html>"
        )

    def save(self, path: str | Path) -> None:
        """Write the page.

        Raises:
            StorageError: If it cannot be written.
        """
        write_atomic(Path(path), self.page)

    def _repr_html_(self) -> str:
        # A frame of its own: the notebook's style and the report's leave each other alone.
        page = html.escape(self.page, quote=True)
        return f'<iframe srcdoc="{page}" title="{html.escape(self.title, quote=True)}" ' + (
            'style="width:100%;height:24em;border:0"></iframe>'
        )
