"""`params.yaml`, read once into frozen dataclasses. Defaults live in that file alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from entropyguard.core.encodings import encoding_name
from entropyguard.core.param_values import build, check, check_cosine, plain
from entropyguard.core.yaml_text import load_yaml

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
        check(known, "ingest.encoding", self.encoding, "an encoding of text, such as utf-8, utf-16 or cp1252")
        names = [self.text_column] if isinstance(self.text_column, str) else list(self.text_column)
        good = names != [] and all(names) and len(set(names)) == len(names)
        check(good, "ingest.text_column", plain(self.text_column), "a column's name, or a list of such, each once")
        check(self.max_line_bytes > 0, "ingest.max_line_bytes", self.max_line_bytes, "a number above 0")


@dataclass(frozen=True)
class ChunkParams:
    size: int
    overlap: int
    separators: tuple[str, ...]

    def __post_init__(self) -> None:
        check(self.size >= 0, "chunks.size", self.size, "a number of characters, 0 for no splitting")
        most = max(0, self.size - 1)
        check(0 <= self.overlap <= most, "chunks.overlap", self.overlap, f"0 to {most}, below chunks.size")


@dataclass(frozen=True)
class ExactParams:
    unicode: str
    lowercase: bool
    whitespace: bool
    min_length: int

    def __post_init__(self) -> None:
        check(self.unicode in ("NFC", "NFKC", "none"), "exact.unicode", self.unicode, "NFC, NFKC or none")
        check(self.min_length >= 0, "exact.min_length", self.min_length, "0 or more")


@dataclass(frozen=True)
class KeepParams:
    policy: str
    source_column: str
    source_priority: tuple[str, ...]

    def __post_init__(self) -> None:
        kind, _, name = self.policy.partition(":")
        known = self.policy in ("first", "longest", "shortest") or (kind == "column" and name != "")
        check(known, "keep.policy", self.policy, "first, longest, shortest, column:NAME or column:NAME:min")
        ranked = list(self.source_priority)
        check(len(set(ranked)) == len(ranked), "keep.source_priority", ranked, "a list that names each source once")
        needless = bool(ranked) and not self.source_column
        check(not needless, "keep.source_column", self.source_column, "the column keep.source_priority is about")


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
        check(0 <= self.threshold <= 1, "near.threshold", self.threshold, allowed)
        check(self.min_words >= 0, "near.min_words", self.min_words, "0 or more")
        check(self.bands >= 1, "near.bands", self.bands, "1 or more")
        whole = self.num_hashes >= 1 and self.num_hashes % self.bands == 0
        check(whole, "near.num_hashes", self.num_hashes, f"a multiple of near.bands, {self.bands}")
        known = self.changed_words in ("protect", "count")
        check(known, "near.changed_words", self.changed_words, "protect or count")


@dataclass(frozen=True)
class EmbedParams:
    model: str
    model_fingerprint: str
    max_windows: int

    def __post_init__(self) -> None:
        check(self.max_windows >= 1, "embed.max_windows", self.max_windows, "1 or more")


@dataclass(frozen=True)
class SearchParams:
    floor: float
    target_recall: float
    exact_below_rows: int

    def __post_init__(self) -> None:
        check_cosine("search.floor", self.floor)
        check(0 < self.target_recall <= 1, "search.target_recall", self.target_recall, "above 0 and at most 1")
        check(self.exact_below_rows >= 0, "search.exact_below_rows", self.exact_below_rows, "0 or more")


@dataclass(frozen=True)
class SemanticParams:
    enabled: bool
    dedup_threshold: float
    cluster: str
    protect: tuple[str, ...]

    def __post_init__(self) -> None:
        check_cosine("semantic.dedup_threshold", self.dedup_threshold)
        check(self.cluster in ("stars", "components"), "semantic.cluster", self.cluster, "stars or components")
        known = set(self.protect) <= set(PROTECTED) and len(set(self.protect)) == len(self.protect)
        check(
            known, "semantic.protect", list(self.protect), f"a list of {', '.join(PROTECTED)}, each once; [] for none"
        )


@dataclass(frozen=True)
class GuardParams:
    max_loss: float

    def __post_init__(self) -> None:
        check(0 <= self.max_loss <= 1, "guard.max_loss", self.max_loss, "a share from 0 to 1 (1 is no guard)")


@dataclass(frozen=True)
class OutputParams:
    format: str
    mark: bool

    def __post_init__(self) -> None:
        check(self.format in OUTPUT_FORMATS, "output.format", self.format, ", ".join(OUTPUT_FORMATS))


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
        return build(cls, values, GONE)

    @classmethod
    def load(cls, path: Path) -> Params:
        """Read a `params.yaml`; a UsageError names the file when it is not there or no YAML."""
        return cls.from_dict(load_yaml(path))

    def as_dict(self) -> dict[str, Any]:
        """The same nesting as the file, lists for tuples."""
        return {name: plain(value) for name, value in dataclasses.asdict(self).items()}
