"""`--separators`, as it is typed in a shell: several values after one flag, with escapes such as `\n`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

FLAG = "--separators"

# Lone surrogates, which no file could hold, stay as they are typed.
_ESCAPE = re.compile(
    r"\\(?:[abfnrtv0\\]|x[0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|U000[0-9a-fA-F]{5}|U0010[0-9a-fA-F]{4})"
)


def one_value_each(arguments: Sequence[str]) -> Iterator[str]:
    """The command line with the flag repeated for each of its values, which end before the next flag."""
    listing = first = False
    for argument in arguments:
        is_flag = argument.startswith("-") and argument != "-"
        listing = listing and not is_flag
        if listing and not first:
            yield FLAG
        first = argument == FLAG
        listing = listing or first
        yield argument


def unescaped(separator: str) -> str:
    """The text with the escapes of Python's strings replaced."""
    return _ESCAPE.sub(lambda match: match[0].encode().decode("unicode_escape"), separator)
