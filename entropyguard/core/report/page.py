"""`report.html`: what a run dropped and why, as one page that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from entropyguard.core.report.same_template import DIFFERS, pairs_apart, rows_otherwise, switch
from entropyguard.core.report.text_diff import one_line, shown, shown_beside, shown_marked

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from entropyguard.core.report.examples import Examples
    from entropyguard.core.words.word_diff import WordDiff

_TEMPLATES = Path(__file__).parent / "pages"
_STAGES_PLACE = "<!-- time and memory -->"
_WIDE, _NARROW = (960, 280), (340, 240)

_KINDS = (
    ("kept", "kept"),
    ("exact", "exact duplicates"),
    ("near", "near-duplicates"),
    ("semantic", "semantic duplicates"),
    ("min_length", "too short"),
    ("rejected", "rejected"),
)

_LABELS = {
    "method": "method",
    "floor": "lowest similarity stored",
    "recall": "recall",
    "recall_interval": "recall, 95 % interval",
    "recall_sample_rows": "rows sampled for the recall",
    "recall_sample_pairs": "pairs sampled for the recall",
    "lists": "lists",
    "probes": "most lists looked into for a row",
    "near_threshold": "threshold of near-duplicates",
    "near_min_words": "fewest words of a near-duplicate",
    "near_changed_words": "replaced words of near-duplicates",
    "near_protect_numbers": "protect numbers of near-duplicates",
    "judged": "pairs compared word by word",
    "capped_buckets": "large groups of which not every pair was compared",
    "dedup_threshold": "threshold",
    "search_floor": "search floor",
    "max_loss": "largest loss allowed",
    "cluster": "rule",
    "protect": "protected",
}
_EXPLAINED = {
    "off": "Semantic dedup was off: no model was loaded, and no texts were compared by their meaning.",
    "exact": "Every row was compared with every other: no pair at or above the floor is missed.",
    "ivf": "Each row was compared with the rows of the lists nearest to it, so some pairs are missed: "
    "the recall is the share that was found, measured on sampled rows by an exhaustive search.",
}


class Step(NamedTuple):
    """`left` rows remain after a stage; `gone` are those it took out: (name in the style sheet, for people, rows)."""

    stage: str
    left: int
    gone: list[tuple[str, str, int]]


def render_page(report: dict[str, Any], findings: Examples) -> str:
    """The page of a finished run: a function of its checkpoints and parameters alone."""
    threshold, histogram = report["settings"]["dedup_threshold"], findings.histogram
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            found=findings,
            marked_pairs=_marked_pairs(findings),
            parts=_parts(report["rows"], semantic=report["settings"]["semantic_dedup"]),
            steps=row_steps(report["rows"]),
            plots=[("wide", _plot(findings, threshold, *_WIDE)), ("narrow", _plot(findings, threshold, *_NARROW))],
            pairs_below=int(histogram.below.sum()),
            pairs_above=int(histogram.above.sum()),
            template=_template(report),
        )
    )


def compile_templates() -> None:
    """Have the templates ready for `render_page`, in this process and those forked from it."""
    for name in _environment().list_templates(["html"]):
        _environment().get_template(name)


def _template(report: dict[str, Any]) -> dict[str, Any]:
    """What the page says of pairs that the guard keeps apart, or would keep apart where nothing is protected."""
    guard = report["guard"]
    apart = pairs_apart(guard)
    kinds = [(DIFFERS[kind], pairs, guard["examples"].get(kind, [])) for kind, pairs in apart.items()]
    return {
        "kinds": kinds,
        "pairs": sum(apart.values()),
        "rows": rows_otherwise(report) if apart else 0,
        "protected": [DIFFERS[kind] for kind in guard.get("protect", [])],
        "switch": switch(guard) if apart and guard["protect"] else "",
    }


def publish_page(page: Path, out: Path, stages: Mapping[str, Any]) -> None:
    """Copy a page, adding what each stage did in this run (`ran`, `reason`, `seconds`, `peak_bytes`) and the version.

    These differ from run to run, so the checkpoint does not hold them. `out` is written in place.
    """
    longest = max((stage.seconds for stage in stages.values()), default=0)
    template = _environment().get_template("stages.html")
    section = template.render(stages=stages, longest=longest, version=version("entropyguard"))
    out.write_text(page.read_text(encoding="utf-8").replace(_STAGES_PLACE, section, 1), encoding="utf-8")


def row_steps(rows: dict[str, Any]) -> list[Step]:
    """The input, then each stage that takes rows out of it."""
    dropped, labels = rows["dropped"], dict(_KINDS)
    gone: dict[str, dict[str, int]] = {
        "rows in": {},
        "ingest": {"rejected": rows["rejected"]},
        "exact_dedup": {"exact": dropped["exact"], "min_length": dropped["min_length"]},
        "near_dedup": {"near": dropped["near"]},
        "semantic_dedup": {"semantic": dropped["semantic"]},
    }
    left, steps = rows["in"], []
    for stage, kinds in gone.items():
        left -= sum(kinds.values())
        went = [(kind, labels[kind], count) for kind, count in kinds.items() if count or kind != "min_length"]
        steps.append(Step(stage, left, went))
    return steps


def _parts(rows: dict[str, Any], *, semantic: bool) -> list[tuple[str, str, int]]:
    """What became of all rows: (name in the style sheet, name for people, rows)."""
    counts = {**rows["dropped"], "kept": rows["kept"], "rejected": rows["rejected"]}
    always = ("kept", "exact", "near", *(["semantic"] if semantic else []))
    return [(kind, label, counts[kind]) for kind, label in _KINDS if counts[kind] or kind in always]


def _plot(findings: Examples, threshold: float, width: int, height: int) -> str:
    from entropyguard.core.report.plots import similarity_plot

    return similarity_plot(findings.histogram, threshold, width, height, in_page=True)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": lambda number: f"{number:,}",
        "percent": _percent,
        "share": lambda part, whole: f"{100 * part / whole:.3f}%" if whole else "0%",
        "spelled": _spelled,
        "one_line": one_line,
        "shown": shown,
    }
    made.globals |= {
        "beside": shown_beside,
        "told": _told,
        "labels": _LABELS,
        "explained": _EXPLAINED,
    }
    return made


def _marked_pairs(found: Examples) -> dict[tuple[int, int], list[Markup]]:
    """Both texts of each near-duplicate as HTML, by row and other row.

    Marked are the words in which they differ, or where there are none, their order.
    """
    from entropyguard.core.report.word_marks import marked_texts  # polars: a page is published without it

    pairs = {(row, other): (found.texts[row], found.texts[other]) for row, other in found.differences}
    worded = {rows: one for rows, one in found.differences.items() if one.missing or one.extra or one.misspelt}
    marked = marked_texts([(*pairs[rows], difference) for rows, difference in worded.items()])
    shown_pairs = {
        rows: [shown_beside(text, other), shown_beside(other, text)] for rows, (text, other) in pairs.items()
    }
    for rows, both in zip(worded, marked, strict=True):
        shown_pairs[rows] = [shown_marked(pieces) for pieces in both]
    return shown_pairs


def _told(difference: WordDiff) -> str:
    from entropyguard.core.report.word_marks import spelled_out

    return spelled_out(difference)


def _percent(part: float, whole: float) -> str:
    """A share for people: never 0 % of something, nor 100 % of less than all."""
    if not whole or not part:
        return "0 %"
    value = 100 * part / whole
    if value < 0.1:
        return "< 0.1 %"
    return "> 99.9 %" if 99.9 < value < 100 else f"{value:.1f} %"


def _spelled(value: Any) -> Any:
    """A value of the settings or of the search as HTML."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    if isinstance(value, list | tuple):
        return one_line(" – ".join(str(_spelled(item)) for item in value)) if value else "none"
    return one_line(str(value)) if value not in (None, "") else "none"
