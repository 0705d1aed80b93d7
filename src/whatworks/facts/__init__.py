"""Facts: tasks that teach and ask them, how well a model knows them, what it makes up."""

from __future__ import annotations
