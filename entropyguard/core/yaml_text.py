"""YAML as DVC reads and writes it (YAML 1.2), so that a value means the same to both.

PyYAML alone follows YAML 1.1, where `off` and `no` are false and `12:30:00` is a number; DVC takes `1e3` for one.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import yaml

from entropyguard.core.errors import UsageError

# Those in C are ten times faster, and a lock file is read on every run and written by every stage.
_Fast: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FastDumper: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_Fast):  # type: ignore[misc]  # PyYAML has no types
    """A safe loader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  PyYAML looks for it here


_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", _FLOAT, "-+0123456789."),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _whole_number(loader: Any, node: Any) -> int:
    digits = loader.construct_scalar(node).replace("_", "")
    return int(digits, 0) if digits[:2] in ("0o", "0x") else int(digits)


def _number(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node).replace("_", "").replace(".inf", "inf").replace(".nan", "nan").lower())


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def parse_yaml(text: str | bytes) -> Any:
    """The value of a YAML text; yaml.YAMLError or ValueError where it is none."""
    return yaml.load(text, _Loader)  # noqa: S506  built on a safe loader


def load_yaml(path: Path) -> Any:
    """The content of a YAML file; a UsageError names it when it cannot be read."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} is missing. `entropyguard init` writes it.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def quoted(text: str) -> str:
    """A text on one line, in quotes: a JSON string is a YAML string, but for what YAML would not take as it is."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in json.dumps(text, ensure_ascii=False)
    )


class _Dumper(_FastDumper):  # type: ignore[misc]
    """A safe dumper whose texts stay texts under YAML 1.2 too."""


def _text(dumper: Any, value: str) -> Any:
    # PyYAML quotes what YAML 1.1 would take for something else; of the rest, what looks like a number of 1.2.
    style = '"' if re.match(r"[-+.0-9]", value) or not value.isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(OrderedDict, lambda dumper, value: dumper.represent_dict(value.items()))  # DVC's


def dump_yaml(value: Any) -> bytes:
    """Plain values as a YAML file, keys in the order given."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000).encode()
