"""One value of a `params.yaml` changed in its place; every other line and all comments stay."""

from __future__ import annotations

import re
from typing import Any

from yaml import YAMLError

from entropyguard.core.errors import UsageError
from entropyguard.core.yaml_text import parse_yaml, quoted


def value_at(values: Any, name: str) -> Any:
    """The value at a dotted name; None where there is none."""
    for part in name.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def with_value(text: str, name: str, value: str | bool | list[str]) -> str:
    """`text` with `value` at a dotted name. UsageError where its line is laid out in another way than ours.

    Texts are quoted: one that YAML takes for something else, or that ends at a `#`, is thus read as it was given.
    """
    written = _written(value)
    section, _, key = name.rpartition(".")
    head = rf"(?:^{re.escape(section)}:[^\n]*\n(?:(?:[ #][^\n]*)?\n)*?)" if section else ""
    indent = " +" if section else ""
    # The old value is a quoted text or a list with such, or runs to a comment or the line's end.
    in_quotes = r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\n]|'')*')"""
    old = rf"""(?:{in_quotes}|\[(?:{in_quotes}|[^\]"'\n])*\]|[^\n]*?)"""
    line = rf"(?m)({head}^{indent}{re.escape(key)}:)[ \t]*{old}([ \t]+#[^\n]*)?$"
    changed = re.sub(line, lambda match: f"{match[1]} {written}{match[2] or ''}", text, count=1)
    try:
        done = _others(parse_yaml(changed), name) == _others(parse_yaml(text), name)
        done = done and value_at(parse_yaml(changed), name) == value
    except (YAMLError, ValueError):
        done = False
    if not done:
        raise UsageError(f"params.yaml: {name} could not be set to {written}. Set it by hand, then run again.")
    return changed


def _written(value: str | bool | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return quoted(value) if isinstance(value, str) else str(value).lower()


def _others(values: Any, name: str) -> Any:
    """The values without the one at the name."""
    first, _, rest = name.partition(".")
    if not isinstance(values, dict):
        return values
    kept = {key: inner for key, inner in values.items() if key != first}
    return {**kept, first: _others(values.get(first), rest)} if rest else kept
