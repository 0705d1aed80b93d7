"""Data in: files in the shape that people have them to examples, pairs and documents."""

from __future__ import annotations

from whatworks.data.contents import Data
from whatworks.data.documents import Documents, read_documents, read_with_notes
from whatworks.data.formats import FORMATS, Format
from whatworks.data.formats.turns import expand_turns
from whatworks.data.logs import LOG_FORMATS, import_logs
from whatworks.data.read import read, stream
from whatworks.data.write import write

__all__ = [
    "FORMATS",
    "LOG_FORMATS",
    "Data",
    "Documents",
    "Format",
    "expand_turns",
    "import_logs",
    "read",
    "read_documents",
    "read_with_notes",
    "stream",
    "write",
]
