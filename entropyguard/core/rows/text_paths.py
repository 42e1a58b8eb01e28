"""Where a text stands in a row: in a column, or at a path into nested values such as `messages[].content`.

A dot goes into an object and `[]` into each value of a list. A column that is called exactly so comes before a path,
row by row; elsewhere a backslash before a dot, a bracket or a backslash takes it literally.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

PART_TEXT = "text"
"""In a list a value may itself be a list of parts, objects whose texts stand under this name (as OpenAI's chats)."""

_MARKS = re.compile(r"\\([.\[\]\\])|(\[\])(?=\[\]|\.|\Z)|(\.)")
_MOST_DEPTH, _MOST_PATHS = 5, 1_000
_IN_LIST = 3  # values of a list that are looked into for paths


class NotTextError(ValueError):
    """A value that is neither a text nor null nor a way to one."""


@dataclass(frozen=True)
class TextPath:
    """`name` as the user spelled it, and the names on the way that it stands for, a tuple to each `[]` and to the end.

    Those of `messages[].content` are (("messages",), ("content",)).
    """

    name: str
    ways: tuple[tuple[str, ...], ...]

    @property
    def is_list(self) -> bool:
        """Whether a row has any number of texts there, in place of one."""
        return len(self.ways) > 1

    def of_row(self, row: dict[str, Any]) -> str | list[str] | None:
        """The text, or for a path through lists the texts in order, "" for each that is null; None for none at all.

        NotTextError where there is something else.
        """
        if self.name in row:
            text = _text(row[self.name])
            return [text] if self.is_list and text is not None else text
        if not self.is_list:
            return _text(_inner(row, self.ways[0]))
        found: list[str] = []
        return found if _collect(row, self.ways, found) else None

    def is_in(self, row: dict[str, Any]) -> bool:
        """Whether the row has the column, or all that the path names, null or not."""
        return self.name in row or _reaches(row, self.ways)


@lru_cache(maxsize=64)
def text_path(name: str) -> TextPath:
    """The path that a name stands for; any name stands for one."""
    ways: list[list[str]] = [[]]
    held, at = "", 0
    ended = False  # by a `[]`, behind which no name need follow
    for mark in _MARKS.finditer(name):
        held += name[at : mark.start()]
        at = mark.end()
        if mark[1]:
            held += mark[1]
            continue
        if held or not ended:
            ways[-1].append(held)
        if mark[2]:
            ways.append([])
        held, ended = "", bool(mark[2])
    held += name[at:]
    if held or not ended:
        ways[-1].append(held)
    return TextPath(name, tuple(map(tuple, ways)))


def text_paths(names: str | Iterable[str]) -> tuple[TextPath, ...]:
    """The paths of one name or several."""
    return tuple(map(text_path, [names] if isinstance(names, str) else names))


def listed_names(names: str | Sequence[str]) -> list[str]:
    """One name or several as a list."""
    return [names] if isinstance(names, str) else list(names)


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise NotTextError
    return value


def _inner(value: Any, names: Sequence[str]) -> Any:
    """What is found down these names, None where a name is missing."""
    for name in names:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise NotTextError
        value = value.get(name)
    return value


def _collect(value: Any, ways: Sequence[Sequence[str]], found: list[str]) -> bool:
    """Add the texts at the end of the ways; False where the first of them leads to no list."""
    values = _inner(value, ways[0])
    if values is None:
        return False
    if not isinstance(values, list):
        raise NotTextError
    if len(ways) > 2:
        for one in values:
            _collect(one, ways[1:], found)
    else:
        found += [_text_or_parts(_inner(one, ways[1])) for one in values]
    return True


def _text_or_parts(value: Any) -> str:
    """The text, or those of a list of parts joined by line breaks; a part of another kind, an image say, has none."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return _text(value) or ""
    if not all(isinstance(part, dict) for part in value):
        raise NotTextError
    return "\n".join(filter(None, (_text(part.get(PART_TEXT)) for part in value)))


def _reaches(value: Any, ways: Sequence[Sequence[str]]) -> bool:
    """Whether there is what the ways name."""
    for name in ways[0]:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    if len(ways) == 1:
        return True
    return isinstance(value, list) and any(_reaches(one, ways[1:]) for one in value)


class Paths:
    """The columns and the paths below them, in the order found, and whether each holds text alone (null aside)."""

    def __init__(self) -> None:
        self.columns: dict[str, None] = {}
        self._texts: dict[str, bool] = {}
        self._others: set[str] = set()

    def note(self, name: str, *, text: bool, other: bool) -> None:
        """`text`: it holds one somewhere; `other`: something else than text or null."""
        self._texts[name] = self._texts.get(name, False) or text
        if other:
            self._others.add(name)

    def note_row(self, row: dict[str, Any]) -> None:
        """Note what a parsed JSON object has."""
        for name, value in row.items():
            self.columns[name] = None
            self._note_value(name, spelled(name), value, 1)

    def _note_value(self, name: str, way: str, value: Any, depth: int) -> None:
        is_text = isinstance(value, str)
        self.note(name, text=is_text, other=value is not None and not is_text)
        if not isinstance(value, dict | list) or self.is_full(depth):
            return
        if isinstance(value, list):
            for one in value[:_IN_LIST]:
                self._note_value(f"{way}[]", f"{way}[]", one, depth + 1)
            return
        for key, one in value.items():
            below = f"{way}.{spelled(key)}"
            self._note_value(below, below, one, depth + 1)

    def is_full(self, depth: int) -> bool:
        """Whether nothing below this depth is noted any more: some data has its values for names."""
        return depth >= _MOST_DEPTH or len(self._texts) >= _MOST_PATHS

    def has_text(self, name: str) -> bool:
        """Whether text was found there, among other things or not."""
        return self._texts.get(name, False)

    def holds_text(self, name: str) -> bool:
        """Whether text was found there, and nothing else but null."""
        return self.has_text(name) and name not in self._others

    def is_empty(self, name: str) -> bool:
        """Whether nothing but null was found there."""
        return not self.has_text(name) and name not in self._others

    def merge(self, other: Paths) -> None:
        """Note what `other` has."""
        self.columns |= other.columns
        for name, text in other._texts.items():
            if name in self._texts or name in self.columns or len(self._texts) < _MOST_PATHS:
                self.note(name, text=text, other=name in other._others)

    def as_dict(self) -> dict[str, Any]:
        """All that was noted, as JSON has it."""
        return {"columns": list(self.columns), "texts": self._texts, "others": sorted(self._others)}

    @classmethod
    def from_dict(cls, noted: dict[str, Any]) -> Paths:
        """The other way round."""
        paths = cls()
        paths.columns = dict.fromkeys(noted["columns"])
        paths._texts, paths._others = dict(noted["texts"]), set(noted["others"])
        return paths

    def texts_below(self, name: str) -> list[str]:
        """The paths into the values of a column or path that hold text."""
        return [path for path in self._texts if path.startswith((f"{name}.", f"{name}[]")) and self.has_text(path)]

    def nearest_first(self, wanted: Iterable[str] = ()) -> list[str]:
        """The columns and the paths that hold text: those spelled like `wanted` first, then in order."""
        known = [*self.columns, *(name for name in self._texts if name not in self.columns and self.has_text(name))]
        ends = [name for one in wanted for name in known if one and name.endswith((f".{one}", f"{one}[]"))]
        near = [name for one in wanted for name in difflib.get_close_matches(one, known, 3)]
        return list(dict.fromkeys([*ends, *near, *known]))


def spelled(name: str) -> str:
    """A name as a path has it."""
    return re.sub(r"[.\[\]\\]", lambda mark: "\\" + mark[0], name)
