"""`params.yaml`, read once into frozen dataclasses. Defaults live in that file alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from entropyguard.core.errors import UsageError

T = TypeVar("T")

OUTPUT_FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet")


@dataclass(frozen=True)
class IngestParams:
    text_column: str
    required_columns: tuple[str, ...]
    strict: bool
    max_line_bytes: int

    def __post_init__(self) -> None:
        _check(self.text_column != "", "ingest.text_column", self.text_column, "a column's name")
        _check(self.max_line_bytes > 0, "ingest.max_line_bytes", self.max_line_bytes, "a number above 0")


@dataclass(frozen=True)
class ExactParams:
    unicode: str
    lowercase: bool
    whitespace: bool
    min_length: int

    def __post_init__(self) -> None:
        _check(self.unicode in ("NFC", "NFKC", "none"), "exact.unicode", self.unicode, "NFC, NFKC or none")
        _check(self.min_length >= 0, "exact.min_length", self.min_length, "0 or more")


@dataclass(frozen=True)
class KeepParams:
    policy: str

    def __post_init__(self) -> None:
        kind, _, name = self.policy.partition(":")
        known = self.policy in ("first", "longest") or (kind == "column" and name != "")
        _check(known, "keep.policy", self.policy, "first, longest or column:NAME")


@dataclass(frozen=True)
class EmbedParams:
    model: str
    model_fingerprint: str


@dataclass(frozen=True)
class SearchParams:
    floor: float

    def __post_init__(self) -> None:
        _check(0 < self.floor <= 1, "search.floor", self.floor, "a cosine above 0 and at most 1")


@dataclass(frozen=True)
class SemanticParams:
    dedup_threshold: float

    def __post_init__(self) -> None:
        _check(
            0 < self.dedup_threshold <= 1,
            "semantic.dedup_threshold",
            self.dedup_threshold,
            "a cosine above 0 and at most 1",
        )


@dataclass(frozen=True)
class OutputParams:
    format: str

    def __post_init__(self) -> None:
        _check(self.format in OUTPUT_FORMATS, "output.format", self.format, ", ".join(OUTPUT_FORMATS))


@dataclass(frozen=True)
class Params:
    """All of `params.yaml`."""

    input: str
    ingest: IngestParams
    exact: ExactParams
    keep: KeepParams
    embed: EmbedParams
    search: SearchParams
    semantic: SemanticParams
    output: OutputParams

    @classmethod
    def from_dict(cls, values: Any) -> Params:
        """Check names, types and ranges; a UsageError names the key, its value and what it may be."""
        return _build(cls, values, "")

    @classmethod
    def load(cls, path: Path) -> Params:
        """Read a `params.yaml`; a UsageError names the file when it is not there or no YAML."""
        return cls.from_dict(load_yaml(path))

    def as_dict(self) -> dict[str, Any]:
        """The same nesting as the file, lists for tuples."""
        values = dataclasses.asdict(self)
        values["ingest"]["required_columns"] = list(self.ingest.required_columns)
        return values


def load_yaml(path: Path) -> Any:
    """The content of a YAML file; a UsageError names it when it cannot be read."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} is missing. `entropyguard init` writes it.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def _build(kind: type[T], values: Any, prefix: str) -> T:
    """A dataclass from a mapping, with nested dataclasses built the same way."""
    hints = get_type_hints(kind)
    where = prefix.rstrip(".") or "params.yaml"
    if not isinstance(values, dict):
        raise UsageError(f"{where} should hold {', '.join(hints)}; it holds {values!r}.")
    for key in values:
        if key not in hints:
            raise UsageError(f"{prefix}{key} is no parameter of entropyguard; known here: {', '.join(hints)}.")
    given = {}
    for key, hint in hints.items():
        if key not in values:
            raise UsageError(f"{prefix}{key} is missing from params.yaml.")
        value = values[key]
        if dataclasses.is_dataclass(hint):
            given[key] = _build(hint, value, f"{prefix}{key}.")  # type: ignore[arg-type]
        else:
            given[key] = _typed(hint, value, prefix + key)
    return kind(**given)


def _typed(hint: Any, value: Any, name: str) -> Any:
    """`value` as the declared type: an int passes for a float, nothing else is bent."""
    if hint == tuple[str, ...]:
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
        _check(good, name, value, "a list of names")
        return tuple(value)
    if hint is float and type(value) is int:
        return float(value)
    allowed = {str: "text", bool: "true or false", int: "a whole number"}.get(hint, "a number")
    _check(type(value) is hint, name, value, allowed)
    return value


def _check(good: bool, name: str, value: Any, allowed: str) -> None:
    if not good:
        raise UsageError(f"{name} is {value!r}; it must be {allowed}.")
