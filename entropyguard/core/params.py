"""`params.yaml`, read once into frozen dataclasses. Defaults live in that file alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from entropyguard.core.encodings import encoding_name
from entropyguard.core.errors import UsageError
from entropyguard.core.yaml_text import load_yaml

T = TypeVar("T")

OUTPUT_FORMATS = (
    *(f"{kind}{packed}" for kind in ("jsonl", "csv", "tsv") for packed in ("", ".gz", ".zst")),
    "parquet",
    "arrow",
    "arrows",
)

Protection = Literal["numbers", "negation", "names", "frame"]
PROTECTED: tuple[Protection, ...] = get_args(Protection)

GONE = ("semantic.screening", "semantic.protect_numbers", "embed.precision")
"""Parameters of earlier versions, which `entropyguard init --upgrade` takes out."""


@dataclass(frozen=True)
class IngestParams:
    text_column: str | tuple[str, ...]
    required_columns: tuple[str, ...]
    strict: bool
    max_line_bytes: int
    encoding: str

    def __post_init__(self) -> None:
        known = encoding_name(self.encoding) is not None
        _check(known, "ingest.encoding", self.encoding, "an encoding of text, such as utf-8, utf-16 or cp1252")
        names = [self.text_column] if isinstance(self.text_column, str) else list(self.text_column)
        good = names != [] and all(names) and len(set(names)) == len(names)
        _check(good, "ingest.text_column", _plain(self.text_column), "a column's name, or a list of such, each once")
        _check(self.max_line_bytes > 0, "ingest.max_line_bytes", self.max_line_bytes, "a number above 0")


@dataclass(frozen=True)
class ChunkParams:
    size: int
    overlap: int
    separators: tuple[str, ...]

    def __post_init__(self) -> None:
        _check(self.size >= 0, "chunks.size", self.size, "a number of characters, 0 for no splitting")
        most = max(0, self.size - 1)
        _check(0 <= self.overlap <= most, "chunks.overlap", self.overlap, f"0 to {most}, below chunks.size")


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
    source_column: str
    source_priority: tuple[str, ...]

    def __post_init__(self) -> None:
        kind, _, name = self.policy.partition(":")
        known = self.policy in ("first", "longest", "shortest") or (kind == "column" and name != "")
        _check(known, "keep.policy", self.policy, "first, longest, shortest, column:NAME or column:NAME:min")
        ranked = list(self.source_priority)
        _check(len(set(ranked)) == len(ranked), "keep.source_priority", ranked, "a list that names each source once")
        needless = bool(ranked) and not self.source_column
        _check(not needless, "keep.source_column", self.source_column, "the column keep.source_priority is about")


@dataclass(frozen=True)
class NearParams:
    threshold: float
    min_words: int
    num_hashes: int
    bands: int
    changed_words: str
    protect_numbers: bool

    def __post_init__(self) -> None:
        allowed = "a word similarity from 0 to 1 (0: near_dedup drops nothing)"
        _check(0 <= self.threshold <= 1, "near.threshold", self.threshold, allowed)
        _check(self.min_words >= 0, "near.min_words", self.min_words, "0 or more")
        _check(self.bands >= 1, "near.bands", self.bands, "1 or more")
        whole = self.num_hashes >= 1 and self.num_hashes % self.bands == 0
        _check(whole, "near.num_hashes", self.num_hashes, f"a multiple of near.bands, {self.bands}")
        known = self.changed_words in ("protect", "count")
        _check(known, "near.changed_words", self.changed_words, "protect or count")


@dataclass(frozen=True)
class EmbedParams:
    model: str
    model_fingerprint: str
    max_windows: int

    def __post_init__(self) -> None:
        _check(self.max_windows >= 1, "embed.max_windows", self.max_windows, "1 or more")


@dataclass(frozen=True)
class SearchParams:
    floor: float
    target_recall: float
    exact_below_rows: int

    def __post_init__(self) -> None:
        _check_cosine("search.floor", self.floor)
        _check(0 < self.target_recall <= 1, "search.target_recall", self.target_recall, "above 0 and at most 1")
        _check(self.exact_below_rows >= 0, "search.exact_below_rows", self.exact_below_rows, "0 or more")


@dataclass(frozen=True)
class SemanticParams:
    enabled: bool
    dedup_threshold: float
    cluster: str
    protect: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_cosine("semantic.dedup_threshold", self.dedup_threshold)
        _check(self.cluster in ("stars", "components"), "semantic.cluster", self.cluster, "stars or components")
        known = set(self.protect) <= set(PROTECTED) and len(set(self.protect)) == len(self.protect)
        _check(
            known, "semantic.protect", list(self.protect), f"a list of {', '.join(PROTECTED)}, each once; [] for none"
        )


@dataclass(frozen=True)
class GuardParams:
    max_loss: float

    def __post_init__(self) -> None:
        _check(0 <= self.max_loss <= 1, "guard.max_loss", self.max_loss, "a share from 0 to 1 (1 is no guard)")


@dataclass(frozen=True)
class OutputParams:
    format: str
    mark: bool

    def __post_init__(self) -> None:
        _check(self.format in OUTPUT_FORMATS, "output.format", self.format, ", ".join(OUTPUT_FORMATS))


@dataclass(frozen=True)
class Params:
    """All of `params.yaml`."""

    input: str
    ingest: IngestParams
    chunks: ChunkParams
    exact: ExactParams
    keep: KeepParams
    near: NearParams
    embed: EmbedParams
    search: SearchParams
    semantic: SemanticParams
    guard: GuardParams
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
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


def _plain(value: Any) -> Any:
    """The value as YAML has it: lists for tuples."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _build(kind: type[T], values: Any, prefix: str) -> T:
    """A dataclass from a mapping, with nested dataclasses built the same way."""
    hints = get_type_hints(kind)
    where = prefix.rstrip(".") or "params.yaml"
    if not isinstance(values, dict):
        raise UsageError(f"{where} should hold {', '.join(hints)}; it holds {values!r}.")
    for key in values:
        if prefix + key in GONE:
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
            given[key] = _build(hint, value, f"{prefix}{key}.")  # type: ignore[arg-type]
        else:
            given[key] = _typed(hint, value, prefix + key)
    return kind(**given)


def _typed(hint: Any, value: Any, name: str) -> Any:
    """`value` as the declared type: an int passes for a float, nothing else is bent."""
    if hint == tuple[str, ...] or (hint == str | tuple[str, ...] and isinstance(value, list)):
        good = isinstance(value, list) and all(map(_is_text, value))
        _check(good, name, value, "a list of texts in UTF-8")
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
    _check(_is_text(value) if hint is str else type(value) is hint, name, value, allowed)
    return value


def _is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can hold: an argument of other bytes has surrogates in their place."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _check(good: bool, name: str, value: Any, allowed: str) -> None:
    if not good:
        raise UsageError(f"{name} is {value!r}; it must be {allowed}.")


def _check_cosine(name: str, value: float) -> None:
    _check(0 < value <= 1, name, value, "a cosine above 0 and at most 1")
