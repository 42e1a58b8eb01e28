"""In which encoding a file of text is: its name checked, its bytes turned into UTF-8, a guess where it is not UTF-8."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterable, Iterator

UTF8 = "utf-8"
UNDECODABLE = b"\xed\xbf\xbf"
"""What stands where the encoding has no character: no UTF-8, so that the row is rejected."""
_HANDLER = "entropyguard.undecodable"
codecs.register_error(_HANDLER, lambda error: ("\udfff", error.end))  # type: ignore[attr-defined]

_CENTRAL = re.compile(rb"[A-Za-z](?:[\xb9\xbf]|\xb3[a-z\x80-\xff])")  # ą ż ł, in cp1252 ¹ ¿ ³
_OTHER_LETTERS = re.compile(rb"[\x80-\xff]{5,}")


def encoding_name(name: str) -> str | None:
    """Python's name of an encoding of text, None where it is none; the one of UTF-8 with a mark is `utf-8`."""
    try:
        with contextlib.suppress(UnicodeError):  # these bytes may be no text, but then the encoding is one of text
            bytes(4).decode(name)
        info = codecs.lookup(name)
        info.incrementaldecoder(_HANDLER).decode(b"\x80", final=True)
    except (LookupError, UnicodeError, TypeError, ValueError, NotImplementedError):
        return None
    return UTF8 if info.name == "utf-8-sig" else info.name


def as_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The text of all pieces as UTF-8, without a byte order mark, UNDECODABLE where there is no character."""
    decoder = codecs.getincrementaldecoder(encoding)(_HANDLER)
    is_start = True
    for piece in pieces:
        text = decoder.decode(piece)
        if text:
            yield (text.removeprefix("\ufeff") if is_start else text).encode(UTF8, "surrogatepass")
            is_start = False
    if rest := decoder.decode(b"", final=True):
        yield rest.encode(UTF8, "surrogatepass")


def likely_encoding(data: bytes) -> str:
    """What to try for bytes that are no UTF-8, with what it is; only Europe's are told apart."""
    if _OTHER_LETTERS.search(data):
        return "cp1251 (Cyrillic; or gbk, shift_jis, …)"
    if _CENTRAL.search(data):
        return "cp1250 (Central European Windows)"
    return "cp1252 (Western Windows; cp1250 for Central Europe)"
