"""The words of a command line before they are taken apart: a flag that lacks its value must not take the next flag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from entropyguard.core.errors import UsageError


def one_or_several(values: list[str] | None) -> str | tuple[str, ...] | None:
    """What a flag that may be repeated was given; None where it was not."""
    if not values:
        return None
    return values[0] if len(values) == 1 else tuple(values)


def check_values(arguments: Sequence[str], commands: Iterable[Any]) -> None:
    """UsageError where a flag that takes a value stands before another flag of the `commands`.

    A value that is spelled like a flag is given as `--flag=value`.
    """
    options = [option for command in commands for option in command.params if option.param_type_name == "option"]
    flags = {name for option in options for name in option.opts}
    valued = {name for option in options for name in option.opts if not getattr(option, "is_flag", False)}
    for word, following in pairwise(arguments):
        if word == "--":
            return
        if word in valued and following.partition("=")[0] in flags:
            raise UsageError(
                f"{word} needs a value, and {following} is a flag. Give the value, or write {word}={following} "
                "if that is it."
            )
