"""The arguments of `dedup`: checked for their types, and told of in messages by their own names."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from entropyguard.core.checkpoint.validity import FLAG_NAMES
from entropyguard.core.errors import EntropyguardError, UsageError
from entropyguard.run.flag_words import by_flags
from entropyguard.run.request import Request
from entropyguard.run.stage.here import as_failure

_ARGUMENTS = {
    "dedup-threshold": "threshold",
    "near-threshold": "near",
    "text-column": "text",
    "model-name": "model",
    "input": "data",
    "allow-download": "allow_download=True",
    "no-semantic": "semantic=False",
    "no-protect": "protect=[]",
    "from": "first",
    "to": "last",
}
"""Flags whose argument has another name; of all others only the hyphens differ."""

_FLAGS = [*_ARGUMENTS, *(field.name.replace("_", "-") for field in dataclasses.fields(Request)), "stage", "step"]

_SAID = {float: "a number", int: "a whole number", str: "a string", bool: "True or False"}


def names(argument: str, value: Any) -> tuple[str, ...]:
    """A list of strings as the request has it; UsageError for a lone string, too."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{argument} is {value!r}; it must be a list of strings.")
    return tuple(value)


def switch(argument: str, value: Any) -> bool:
    """True or False, and nothing else that counts as one of them."""
    if not isinstance(value, bool):
        raise UsageError(f"{argument} is {value!r}; it must be True or False.")
    return value


def path(argument: str, value: Any) -> Path | None:
    """A path, or None where none was given."""
    if value is not None and not isinstance(value, str | os.PathLike):
        raise UsageError(f"{argument} is {value!r}; it must be a path.")
    return None if value is None else Path(value)


def check(request: Request) -> None:
    """UsageError for a value of another type than the request's field has, and for a number that is none."""
    for name, hint in get_type_hints(Request).items():
        value = getattr(request, name)
        kinds = set(get_args(hint) if isinstance(hint, UnionType) else [hint]) & set(_SAID)
        allowed = {int, float} if float in kinds else kinds
        if value is not None and kinds and type(value) not in allowed and not isinstance(value, tuple):
            raise UsageError(f"--{name.replace('_', '-')} is {value!r}; it must be {_SAID[kinds.pop()]}.")
    for name, number in (("threads", request.threads), ("max_memory", request.max_memory)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is {number}; it must be 1 or more.")


@contextmanager
def told_by_arguments(*ours: Path) -> Iterator[None]:
    """Errors in the words of who calls from Python: arguments for flags, "data" for its file in a folder of ours.

    What the system refuses, a full disk or a path, is an error of ours as well.
    """
    try:
        yield
    except EntropyguardError as error:
        error.args = (_told(str(error), ours),)
        raise
    except (OSError, MemoryError) as problem:
        failure = as_failure(problem, "dedup", "")
        if failure is None:
            raise
        raise type(failure)(_told(str(failure), ours)) from problem


def _told(message: str, ours: Sequence[Path]) -> str:
    for folder in ours:
        own = rf"{re.escape(str(folder))}/data\.\w+"
        message = re.sub(rf"{own}, line (\d+)", lambda match: f"data, row {int(match[1]) - 1}", message)
        message = re.sub(own, "data", message)
    for key in FLAG_NAMES.values():
        message = re.sub(rf" \({re.escape(key)}[^)]*\)", "", message)  # the flag stands before it
    message = by_flags(message).replace(" with --resume", "")
    return re.sub(rf"(?<![\w.'\"/-])--({'|'.join(_FLAGS)})(?![\w'\"/-])", lambda match: _argument(match[1]), message)


def _argument(flag: str) -> str:
    """The argument of `dedup` or `sweep` that stands for a flag of the command line."""
    return _ARGUMENTS.get(flag, flag.replace("-", "_"))
