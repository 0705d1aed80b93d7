"""A method of the user's own: a function, declared by a decorator.

::

    @ww.method(owns=["prompt.instructions"])
    def shout(start, bench, *, words: str = "Answer in capitals."):
        return start.with_prompt(instructions=f"{start.prompt.instructions} {words}")

In a study it is found in a file that ``plugins:`` names, or by an entry point.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, ClassVar, overload

from pydantic import create_model

from whatworks.base.errors import ArmFailure, InputError, WhatworksError, get_first_line
from whatworks.base.file_digest import compute_digest
from whatworks.base.own_settings import find_source, read_settings
from whatworks.base.python_file import find_line, run_python_file
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.prompts.candidate import Candidate

Adapt = Callable[..., Candidate]
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class FunctionMethod(Method):
    """A method whose ``adapt`` is a function ``(start, bench, *, settings)``."""

    function: ClassVar[Adapt]

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """What the function makes of the start.

        Raises:
            ArmFailure: If it raises, or returns no candidate.
        """
        function = type(self).__dict__["function"].__func__
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        source = find_source(function)
        try:
            adapted = function(start, bench, **settings)
        except WhatworksError:
            raise
        except Exception as error:
            raise ArmFailure(
                f"{self.name} raised {type(error).__name__}: {get_first_line(error)}",
                place=f"{Path(source).name}{find_line(error, source)}",
                remedy="mend the function, and run the study again",
            ) from error
        if not isinstance(adapted, Candidate):
            raise ArmFailure(
                f"{self.name} returned {type(adapted).__name__}, no candidate",
                place=Path(source).name,
                remedy="return `start.with_prompt(...)`, or `start` itself",
            )
        return adapted


@overload
def method(function: Adapt, /) -> type[Method]: ...
@overload
def method(
    *, name: str = "", owns: Iterable[str] = (), stochastic: bool = False,
    reads_documents: bool = False,
) -> Callable[[Adapt], type[Method]]: ...  # fmt: skip
def method(
    function: Adapt | None = None, /, *, name: str = "", owns: Iterable[str] = (),
    stochastic: bool = False, reads_documents: bool = False,
) -> Any:  # fmt: skip
    """Declare a function ``(start, bench, *, settings)`` a method; ``Method`` says what each is.

    Args:
        function: Makes another candidate from ``start``. Its keyword-only parameters are the
            settings of the method, checked against their types.
        name: As study files write it; the function's name by default, with hyphens.
        owns: Fields of the candidate that it may change, such as ``prompt.instructions``.
        stochastic: Whether the outcome depends on ``bench.seed``; then several seeds are run.
        reads_documents: Whether it reads ``bench.documents``.

    Returns:
        A class of method, for ``ww.study(arms=[...])`` or an entry point.

    Raises:
        InputError: If the function takes something else, or the name cannot stand in a chain.
    """

    def declare(function: Adapt) -> type[Method]:
        own = name or function.__name__.strip("_").replace("_", "-")
        if not _NAME.fullmatch(own):
            raise InputError(
                f"{own!r} cannot be the name of a method",
                place=find_source(function),
                remedy="take letters, digits and hyphens: @ww.method(name=...)",
            )
        fields = read_settings(function, ("start", "bench"))
        for setting in fields:
            if hasattr(FunctionMethod, setting) or setting.startswith("_"):
                raise InputError(
                    f"a setting cannot be called {setting!r}",
                    place=find_source(function),
                    remedy="call it otherwise: every method has something of that name",
                )
        kind = create_model(
            function.__name__,
            __base__=FunctionMethod,
            __module__=function.__module__,
            __doc__=function.__doc__,
            **fields,
        )
        kind.__qualname__ = function.__qualname__
        kind.function = staticmethod(function)
        kind.name, kind.owns = own, frozenset(owns)
        kind.stochastic, kind.reads_documents = stochastic, reads_documents
        return kind

    return declare if function is None else declare(function)


def load_methods(file: Path, taken: Collection[str]) -> dict[str, type[Method]]:
    """The methods that a file of the user's own defines, by name; the file is run.

    Args:
        file: A Python file.
        taken: Names that other methods have.

    Raises:
        InputError: If it cannot be run, defines none, or one has a name that is taken.
    """
    module = run_python_file(file, "the study's `plugins` names it")
    found: dict[str, type[Method]] = {}
    for thing in vars(module).values():
        if not (isinstance(thing, type) and issubclass(thing, Method)):
            continue
        own = str(getattr(thing, "name", ""))
        if thing.__module__ != module.__name__ or not own:
            continue  # imported from elsewhere, or a base of others
        if own in taken or own in found:
            raise InputError(
                f"the name {own!r} is taken", place=str(file), remedy="name the method otherwise"
            )
        thing.defined_in = f"{file.name} {compute_digest(file)}"
        found[own] = thing
    if not found:
        raise InputError(
            "no method is defined there",
            place=str(file),
            remedy="decorate a function with @ww.method, or derive a class from ww.Method",
        )
    return found
