"""Values of parameters: from YAML into dataclasses, by the types that are declared there, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any, TypeVar, get_type_hints

from entropyguard.core.errors import UsageError

T = TypeVar("T")


def plain(value: Any) -> Any:
    """The value as YAML has it: lists for tuples."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def build(kind: type[T], values: Any, gone: Collection[str] = (), prefix: str = "") -> T:
    """A dataclass from a mapping, with nested dataclasses built the same way. gone: parameters of earlier versions."""
    hints = get_type_hints(kind)
    where = prefix.rstrip(".") or "params.yaml"
    if not isinstance(values, dict):
        raise UsageError(f"{where} should hold {', '.join(hints)}; it holds {values!r}.")
    for key in values:
        if prefix + key in gone:
            raise UsageError(
                f"{prefix}{key} is no parameter any more. `entropyguard init --upgrade` takes it out "
                "(in a checkpoint dir: a run with --resume)."
            )
        if key not in hints:
            raise UsageError(f"{prefix}{key} is no parameter of entropyguard; known here: {', '.join(hints)}.")
    given = {}
    for key, hint in hints.items():
        if key not in values:
            raise UsageError(
                f"{prefix}{key} is missing from params.yaml. `entropyguard init --upgrade` adds it "
                "(in a checkpoint dir: a run with --resume)."
            )
        value = values[key]
        if dataclasses.is_dataclass(hint):
            given[key] = build(hint, value, gone, f"{prefix}{key}.")  # type: ignore[arg-type]
        else:
            given[key] = _typed(hint, value, prefix + key)
    return kind(**given)


def _typed(hint: Any, value: Any, name: str) -> Any:
    """`value` as the declared type: an int passes for a float, nothing else is bent."""
    if hint == tuple[str, ...] or (hint == str | tuple[str, ...] and isinstance(value, list)):
        good = isinstance(value, list) and all(map(_is_text, value))
        check(good, name, value, "a list of texts in UTF-8")
        return tuple(value)
    if hint is float and type(value) is int:
        return float(value)
    if hint == str | tuple[str, ...]:
        hint = str
    allowed = {
        str: "text in UTF-8 (in quotes where YAML would read it otherwise, as true)",
        bool: "true or false",
        int: "a whole number",
    }.get(hint, "a number")
    check(_is_text(value) if hint is str else type(value) is hint, name, value, allowed)
    return value


def _is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can hold: an argument of other bytes has surrogates in their place."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def check(good: bool, name: str, value: Any, allowed: str) -> None:
    """UsageError, which names the parameter, its value and what it must be, unless that is good."""
    if not good:
        raise UsageError(f"{name} is {value!r}; it must be {allowed}.")


def check_cosine(name: str, value: float) -> None:
    """The same for a cosine, which is above 0 and at most 1."""
    check(0 < value <= 1, name, value, "a cosine above 0 and at most 1")
