"""A project's sweep: what other thresholds would drop, from its stored pairs or a further search of its vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from entropyguard.core.errors import InputError, ProcessingError, UsageError
from entropyguard.core.params import Params
from entropyguard.core.report.sweep import TEXT_CHARS, Example, Step, examples_of, sweep_steps, thresholds_between
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.watch import Watched
from entropyguard.project.layout import AFTER_NEAR, EMBEDDINGS, INGESTED, PAIRS
from entropyguard.project.project import Project
from entropyguard.project.status import project_status
from entropyguard.project.validity import UP_TO_DATE
from entropyguard.queries.further_search import cost, known_pairs, search_further
from entropyguard.run.memory import default_max_memory
from entropyguard.run.progress import terminal_progress

_NEEDED = ("ingest", "exact_dedup", "near_dedup", "embed", "similar_pairs")


@dataclass(frozen=True)
class SweepRequest:
    """Which thresholds to look at, lowest first; `first` None stands for the floor of the stored pairs.

    extend: search again where `first` is below the floor. examples: borderline pairs to show at each threshold.
    """

    first: float | None
    last: float
    step: float
    extend: bool
    examples: int


@dataclass(frozen=True)
class Sweep:
    """The steps, lowest threshold first, with their examples; `params` are those of the project."""

    params: Params
    floor: float
    steps: Sequence[Step]
    examples: Sequence[Sequence[Example]]

    def as_dict(self) -> dict[str, Any]:
        """What --json writes."""
        before = [None, *self.steps][:-1]
        return {
            "rows": self.steps[0].rows,
            "settings": {**dataclasses.asdict(self.params.semantic), "keep": self.params.keep.policy},
            "floor": self.floor,
            "text_chars": TEXT_CHARS,
            "thresholds": [
                {
                    "threshold": step.threshold,
                    "in_params": step.threshold == self.params.semantic.dedup_threshold,
                    "dropped": step.dropped,
                    "share": share(step),
                    "change": None if previous is None else step.dropped - previous.dropped,
                    "examples": [dataclasses.asdict(example) for example in examples],
                }
                for previous, step, examples in zip(before, self.steps, self.examples, strict=True)
            ],
        }


def share(step: Step) -> float:
    """The share of the rows that come into semantic dedup which the step drops."""
    return round(step.dropped / max(1, step.rows), 6)


def sweep(project: Project, request: SweepRequest, say: Callable[[str], None]) -> Sweep:
    """What each threshold of the request would drop.

    UsageError below the floor without --extend, and for thresholds that are none; ProcessingError when a checkpoint
    is missing or out of date. Nothing of the pipeline is written.
    """
    check_range(request)
    check_up_to_date(project)
    params = project.params
    with _unchanged(project, (INGESTED, AFTER_NEAR, EMBEDDINGS, PAIRS)):
        stored, after_near = project.checkpoint(PAIRS), project.checkpoint(AFTER_NEAR)
        floor = float(stored.metadata["search"]["floor"])
        first = min(floor, request.last) if request.first is None else request.first
        chosen = thresholds_between(first, request.last, request.step, params.semantic.dedup_threshold)
        # The stored pairs where they reach: what a run at that threshold decides from.
        further = stored if chosen[0] >= floor else _further(project, chosen[0], request, say)
        takes = [(threshold, stored if threshold >= floor else further) for threshold in chosen]
        steps = []
        with terminal_progress("sweep") as progress:
            for step in sweep_steps(
                takes, after_near, params.semantic, params.keep, request.examples, default_max_memory()
            ):
                steps.append(step)
                progress(len(steps), len(takes))
        examples = examples_of(project.lineage(), steps)
    return Sweep(params, floor, steps, examples)


def check_range(request: SweepRequest) -> None:
    """UsageError for values that are no thresholds."""
    for flag, value in (("--from", request.first), ("--to", request.last)):
        if value is not None and not 0 < value <= 1:
            raise UsageError(f"{flag} is {value:g}; it must be a cosine above 0 and at most 1.")
    if request.first is not None and request.first > request.last:
        raise UsageError(
            f"--from {request.first:g} is above --to {request.last:g}: there is no threshold between them."
        )
    if not 0.000001 <= request.step <= 1:
        raise UsageError(f"--step is {request.step:g}; it must be from 0.000001, as exact as similarities are, to 1.")


def check_up_to_date(project: Project) -> None:
    """ProcessingError where the stored pairs are not those of its input."""
    for line in project_status(project):
        status = line.status
        if status.stage in _NEEDED and status.state != UP_TO_DATE:
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
