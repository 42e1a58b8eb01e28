"""A project's sweep: what other thresholds would drop, from its stored pairs or a further search of its vectors.

Of semantic_dedup, or of near_dedup from the pairs that it stored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from entropyguard.core.errors import InputError, ProcessingError, UsageError
from entropyguard.core.params import Params
from entropyguard.core.progress import Progress
from entropyguard.core.report.lineage import Lineage
from entropyguard.core.report.sweep import (
    TEXT_CHARS,
    Example,
    Step,
    examples_of,
    near_steps,
    sweep_steps,
    thresholds_between,
)
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.watch import Watched
from entropyguard.project.layout import AFTER_EXACT, AFTER_NEAR, EMBEDDINGS, INGESTED, NEAR_PAIRS, PAIRS
from entropyguard.project.project import Project
from entropyguard.project.status import SEMANTIC_OFF, project_status
from entropyguard.project.validity import UP_TO_DATE
from entropyguard.queries.further_search import cost, known_pairs, search_further
from entropyguard.run.memory import default_max_memory
from entropyguard.run.progress import terminal_progress

SEMANTIC, NEAR = "semantic", "near"
"""The stages whose thresholds can be swept, as reasons of dropped rows have them."""

_NEEDED = ("ingest", "exact_dedup", "near_dedup", "embed", "similar_pairs")
_NEEDED_BY_NEAR = ("ingest", "exact_dedup", "near_dedup")


Further = Callable[[float], Checkpoint]
"""Gives the similar pairs from a floor up that is below that of the stored ones."""


class FinishedRun(Protocol):
    """A run to ask questions of: a project's, or one in a private folder."""

    @property
    def params(self) -> Params:
        """The parameters that it ran with."""

    def checkpoint(self, output: str) -> Checkpoint:
        """One of its checkpoints."""

    def lineage(self) -> Lineage:
        """What became of every row."""


@dataclass(frozen=True)
class SweepRequest:
    """Which thresholds of which stage to look at, lowest first; `first` None stands for the floor of the stored pairs.

    extend: search again where `first` is below the floor. examples: borderline pairs to show at each threshold.
    """

    first: float | None
    last: float
    step: float
    extend: bool
    examples: int
    stage: str = SEMANTIC


@dataclass(frozen=True)
class Sweep:
    """The steps, lowest threshold first, with their examples; `params` are those of the project."""

    params: Params
    floor: float
    steps: Sequence[Step]
    examples: Sequence[Sequence[Example]]
    stage: str = SEMANTIC

    @property
    def threshold(self) -> float:
        """The stage's threshold in the project's parameters."""
        return self.params.near.threshold if self.stage == NEAR else self.params.semantic.dedup_threshold

    def as_dict(self) -> dict[str, Any]:
        """What --json writes."""
        before = [None, *self.steps][:-1]
        settings = dataclasses.asdict(self.params.near if self.stage == NEAR else self.params.semantic)
        return {
            "stage": self.stage,
            "rows": self.steps[0].rows,
            "settings": {**settings, "keep": self.params.keep.policy},
            "floor": self.floor,
            "text_chars": TEXT_CHARS,
            "thresholds": [
                {
                    "threshold": step.threshold,
                    "in_params": step.threshold == self.threshold,
                    "dropped": step.dropped,
                    "share": share(step),
                    "change": None if previous is None else step.dropped - previous.dropped,
                    **self._guarded(step),
                    "examples": [dataclasses.asdict(example) for example in examples],
                }
                for previous, step, examples in zip(before, self.steps, self.examples, strict=True)
            ],
        }

    def _guarded(self, step: Step) -> dict[str, Any]:
        return {} if self.stage == NEAR else {"dropped_unguarded": step.unguarded, "kept_apart": dict(step.apart)}


def share(step: Step) -> float:
    """The share of the rows that come into the stage which the step drops."""
    return round(step.dropped / max(1, step.rows), 6)


def sweep(project: Project, request: SweepRequest, say: Callable[[str], None]) -> Sweep:
    """What each threshold of the request would drop.

    UsageError below the floor without --extend, and for thresholds that are none; ProcessingError when a checkpoint
    is missing or out of date, or the stage is off. Nothing of the pipeline is written.
    """
    check_range(request)
    check_on(project, request.stage)
    check_up_to_date(project, _NEEDED_BY_NEAR if request.stage == NEAR else _NEEDED)

    def further(floor: float) -> Checkpoint:
        return _further(project, floor, request, say)

    read = (INGESTED, AFTER_EXACT, NEAR_PAIRS) if request.stage == NEAR else (INGESTED, AFTER_NEAR, EMBEDDINGS, PAIRS)
    with _unchanged(project, read), terminal_progress("sweep") as progress:
        return sweep_stored(project, request, further, progress)


def sweep_stored(run: FinishedRun, request: SweepRequest, further: Further, progress: Progress) -> Sweep:
    """The same of a run whose checkpoints are known to be sound; `further` gives pairs from a lower floor up."""
    if request.stage == NEAR:
        return _near_sweep(run, request, progress)
    params, stored, after_near = run.params, run.checkpoint(PAIRS), run.checkpoint(AFTER_NEAR)
    floor = float(stored.metadata["search"]["floor"])
    first = min(floor, request.last) if request.first is None else request.first
    chosen = thresholds_between(first, request.last, request.step, params.semantic.dedup_threshold)
    # The stored pairs where they reach: what a run at that threshold decides from.
    lower = stored if chosen[0] >= floor else further(chosen[0])
    takes = [(threshold, stored if threshold >= floor else lower) for threshold in chosen]
    found = sweep_steps(takes, after_near, params.semantic, params.keep, request.examples, default_max_memory())
    steps = _counted(found, len(takes), progress)
    return Sweep(params, floor, steps, examples_of(run.lineage(), steps))


def _near_sweep(run: FinishedRun, request: SweepRequest, progress: Progress) -> Sweep:
    params, stored, after_exact = run.params, run.checkpoint(NEAR_PAIRS), run.checkpoint(AFTER_EXACT)
    floor = float(stored.metadata["near"]["floor"])
    first = min(floor, request.last) if request.first is None else request.first
    if first < floor:
        raise UsageError(
            f"{first:g} is below {floor:g}, from where near_dedup stored pairs. "
            f"A run with --resume --near-threshold {first:g} (near.threshold) stores those from there up."
        )
    chosen = thresholds_between(first, request.last, request.step, params.near.threshold)
    found = near_steps(chosen, after_exact, stored, params.near, params.keep, request.examples, default_max_memory())
    steps = _counted(found, len(chosen), progress)
    return Sweep(params, floor, steps, examples_of(run.lineage(), steps), NEAR)


def _counted(found: Iterator[Step], number: int, progress: Progress) -> list[Step]:
    """All of the steps."""
    steps: list[Step] = []
    for step in found:
        steps.append(step)
        progress(len(steps), number)
    return steps


def check_range(request: SweepRequest) -> None:
    """UsageError for values that are no thresholds, and for a stage that has none."""
    if request.stage not in (SEMANTIC, NEAR):
        raise UsageError(f"--stage is {request.stage!r}; it must be {SEMANTIC} or {NEAR}.")
    if request.stage == NEAR and request.extend:
        raise UsageError("--extend searches vectors again: it goes with --stage semantic. Leave it out.")
    kind = "word similarity" if request.stage == NEAR else "cosine"
    for flag, value in (("--from", request.first), ("--to", request.last)):
        if value is not None and not 0 < value <= 1:
            raise UsageError(f"{flag} is {value:g}; it must be a {kind} above 0 and at most 1.")
    if request.first is not None and request.first > request.last:
        raise UsageError(
            f"--from {request.first:g} is above --to {request.last:g}: there is no threshold between them."
        )
    if not 0.000001 <= request.step <= 1:
        raise UsageError(f"--step is {request.step:g}; it must be from 0.000001, as exact as similarities are, to 1.")


def check_on(project: Project, stage: str) -> None:
    """ProcessingError where no pairs are stored, because the stage is off."""
    off, flag, cure = SEMANTIC_OFF, "--no-semantic", "semantic.enabled: true"
    if stage == NEAR:
        off, flag, cure = "near_dedup is off (near.threshold: 0)", "--near-threshold 0", "near.threshold above 0"
    if project.params.near.threshold > 0 if stage == NEAR else project.params.semantic.enabled:
        return
    raise ProcessingError(
        f"{project.root}: {off}, so there are no pairs to sweep. Run again with --resume and without {flag} "
        f"(in a data repo: set {cure} in params.yaml, then `dvc repro`)."
    )


def check_up_to_date(project: Project, needed: Sequence[str] = _NEEDED) -> None:
    """ProcessingError where the stored pairs are not those of its input."""
    for line in project_status(project):
        status = line.status
        if status.stage in needed and status.state != UP_TO_DATE:
            raise ProcessingError(
                f"{project.root}: {status.stage} is not up to date ({status.reason}), so a sweep would not be true. "
                "Run again with --resume (in a data repo: `dvc repro`)."
            )


@contextmanager
def _unchanged(project: Project, names: Sequence[str]) -> Iterator[None]:
    """InputError at the end when a checkpoint has other content: a run is at work."""
    watched = Watched()
    for name in names:
        watched.add(project.root / name, project.digest(name))
    yield
    changed = watched.changed()
    if changed is not None:
        raise InputError(f"{changed} changed during the sweep. Wait for the run that is at work there, then try again.")


def _further(project: Project, floor: float, request: SweepRequest, say: Callable[[str], None]) -> Checkpoint:
    """Pairs from below the stored floor up: those of an earlier sweep, or searched now if the request allows it."""
    known = known_pairs(project, floor)
    if known is not None:
        return known
    if not request.extend:
        raise UsageError(cost(project, floor))
    say(f"searching the stored vectors again, from {floor:g} up")
    return search_further(project, floor)
