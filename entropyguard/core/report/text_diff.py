"""Texts as a page shows them: short, with what cannot be seen spelled out, and with what differs marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import islice, takewhile
from os.path import commonprefix

from markupsafe import Markup, escape

TEXT_CHARS = 4_000
"""As much of a text is looked at."""

_SHOWN_CHARS, _SHOWN_LINES = 420, 12
_CONTEXT_CHARS = 60
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"  # Thai, Lao, kana, Han: each character counts as a word
_TOKEN = re.compile(rf"[^\W{_UNSPACED}]+|\s+|.", re.DOTALL)

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters other than tab and line feed
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"  # marks, directions
    "\ud800-\udfff\U000e0000-\U000e007f"  # what UTF-8 cannot hold; tags: a text within the text
    "]"
)


def visible(text: str) -> Markup:
    """The text as HTML: everything escaped, invisible characters and changes of direction as their code points."""
    parts, done = [], 0
    text = text.replace("\r\n", "\n")
    for match in _UNSEEN.finditer(text):
        parts.append(escape(text[done : match.start()]))
        parts.append(Markup("<i>U+{:04X}</i>").format(ord(match[0])))
        done = match.end()
    return Markup("").join([*parts, escape(text[done:])])


def one_line(text: str, most: int = 80) -> Markup:
    """A name out of the user's data as HTML, cut to `most` characters."""
    return visible(text if len(text) <= most else text[:most] + "…")


def shown(text: str) -> Markup:
    """The beginning of a text as HTML."""
    return visible(_cut(text, 0))


def shown_beside(text: str, other: str) -> Markup:
    """The part of a text where it begins to differ from the other, as HTML with the differing words in <mark>."""
    start = _start(text, other)
    text, other = _cut(text, start), _cut(other, start)
    words, others = _TOKEN.findall(text), _TOKEN.findall(other)
    changes = SequenceMatcher(None, others, words, autojunk=False).get_opcodes()
    parts = [("".join(words[first:last]), kind == "equal") for kind, _, _, first, last in changes]
    return Markup("").join(visible(part) if equal else _marked(part) for part, equal in parts)


def shown_marked(pieces: Sequence[tuple[str, bool]]) -> Markup:
    """The part of a text, given in pieces, where its first marked one stands, as HTML with those in <mark>."""
    text = "".join(piece for piece, _ in pieces)
    before = sum(len(piece) for piece, _ in takewhile(lambda one: not one[1], pieces))
    start = _start_before(text, before) if before < len(text) else 0
    end = start + len(_lines(text, start))
    parts, place = [], 0
    for piece, marked in pieces:
        part = piece[max(0, start - place) : max(0, end - place)]
        parts.append(_marked(part) if marked else visible(part))
        place += len(piece)
    return Markup("").join(["…" if start else "", *parts, "…" if end < len(text) else ""])


def _marked(text: str) -> Markup:
    """A text as HTML with each of its lines in <mark>, but for the white space around it."""
    pieces = [visible(piece) for piece in re.split(r"(\S(?:.*\S)?)", text)]
    pieces[1::2] = [Markup("<mark>{}</mark>").format(line) for line in pieces[1::2]]
    return Markup("").join(pieces)


def _start(text: str, other: str) -> int:
    """Where to begin so that the first difference is shown: 0, or at a word a little before it."""
    same = len(commonprefix([text, other]))  # noqa: RUF071  of characters is what is meant
    return 0 if text == other else _start_before(text, same)


def _start_before(text: str, place: int) -> int:
    """Where to begin so that a place in the text is shown."""
    in_sight = place < _SHOWN_CHARS - 2 * _CONTEXT_CHARS and text.count("\n", 0, place) < _SHOWN_LINES - 2
    return 0 if in_sight else text.rfind(" ", 0, place - _CONTEXT_CHARS) + 1


def _lines(text: str, start: int) -> str:
    """As much of a text as is shown."""
    lines = text[start : start + _SHOWN_CHARS].split("\n")
    return "\n".join(islice(lines, _SHOWN_LINES))


def _cut(text: str, start: int) -> str:
    cut = _lines(text, start)
    return ("…" if start else "") + cut + ("…" if start + len(cut) < len(text) else "")
