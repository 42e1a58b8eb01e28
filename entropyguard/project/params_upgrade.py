"""An older `params.yaml` made fit for this version: what it lacks is added, what is no parameter any more is taken out.

Every other line stays as it is.
"""

from __future__ import annotations

import re
from typing import Any

from yaml import YAMLError

from entropyguard.core.errors import UsageError
from entropyguard.core.params import GONE
from entropyguard.core.yaml_text import parse_yaml
from entropyguard.project.params_edit import value_at, with_value

_PROTECTED_NUMBERS = "semantic.protect_numbers"
"""Of versions in which it stood for near-duplicates too, or in which there were none."""


def upgraded_params(text: str, packaged: str) -> str:
    """`text` with the sections and parameters it lacks, as the packaged file has them, and without those in `GONE`.

    Comments come and go with their parameters. UsageError when that cannot be done, as in a section in flow style.
    """
    before = parse_yaml(text) or {}
    text = _without_gone(text)
    own, wanted = parse_yaml(text) or {}, parse_yaml(packaged)
    for section, values in wanted.items():
        if section not in own:
            text = text.rstrip("\n") + "\n\n" + "\n".join(_lines_of(packaged, section)) + "\n"
        elif isinstance(values, dict) and isinstance(own[section], dict):
            for key in values:
                if key not in own[section]:
                    text = _inserted(text, section, _lines_of(packaged, section, key))
    missing = _missing(own, wanted)
    try:
        left = _missing(parse_yaml(text), wanted)
    except YAMLError:  # the file is laid out in another way than ours
        left = missing
    if left:
        raise UsageError(f"params.yaml lacks {', '.join(left)}. Add them by hand, then run again.")
    if value_at(before, _PROTECTED_NUMBERS) is True and value_at(before, "near.protect_numbers") is None:
        text = with_value(text, "near.protect_numbers", value=True)
    return text


def _without_gone(text: str) -> str:
    for name in GONE:
        section, _, key = name.partition(".")
        # The parameter's line, and the comments that go on below it.
        pattern = rf"(?m)(^{section}:.*\n(?:^(?:[ #].*)?\n)*?)^ +{key}:.*\n(?:^ {{3,}}#.*\n)*"
        text = re.sub(pattern, r"\1", text)
        if key in ((parse_yaml(text) or {}).get(section) or {}):
            raise UsageError(f"params.yaml has {name}, which is no parameter any more. Take it out, then run again.")
    return text


def _lines_of(packaged: str, section: str, key: str | None = None) -> list[str]:
    """The lines of a section, or of one of its parameters with the comments that go on below it."""
    lines = packaged.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"{section}:"))
    pattern = r"\S"
    if key is not None:
        start = next(at for at in range(start + 1, len(lines)) if lines[at].startswith(f"  {key}:"))
        pattern = r" {0,2}\S"
    end = start + 1
    while end < len(lines) and not re.match(pattern, lines[end]) and lines[end].strip():
        end += 1
    return lines[start:end]


def _inserted(text: str, section: str, new: list[str]) -> str:
    """`text` with lines added at the end of a section."""
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if re.match(rf"{re.escape(section)}:\s*(#.*)?$", line)), None)
    if start is None:
        return text
    end = start + 1
    while end < len(lines) and not re.match(r"[^\s#]", lines[end]):
        end += 1
    while not lines[end - 1].strip() or lines[end - 1].startswith("#"):
        end -= 1
    return "\n".join([*lines[:end], *new, *lines[end:]]) + "\n"


def _missing(own: Any, wanted: Any) -> list[str]:
    found = []
    for section, values in wanted.items():
        there = own.get(section)
        if there is None:
            found.append(section)
        elif isinstance(values, dict):
            found += [f"{section}.{key}" for key in values if not isinstance(there, dict) or key not in there]
    return found
