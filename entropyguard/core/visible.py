"""Texts for people's eyes: data and file names are anybody's, and a terminal would obey some of what is in them."""

from __future__ import annotations

import unicodedata


def visible(text: str, keep: str = "\n") -> str:
    """The text with what a terminal would obey or not show as escapes, but for the characters in `keep`."""
    if text.isprintable():
        return text
    return "".join(char if _is_shown(char) or char in keep else _escape(char) for char in text)


def visible_json(text: str) -> str:
    """The same of a JSON text, which still says the same: there such characters lie in strings alone."""
    if text.isprintable():
        return text
    return "".join(char if _is_shown(char) or char == "\n" else _json_escape(char) for char in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
