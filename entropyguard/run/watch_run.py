"""A run as it looks from outside: what its stages leave in the dir, made into one line."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.embed.model import is_static
from entropyguard.core.params import Params
from entropyguard.core.storage.files import read_json
from entropyguard.project.layout import INGESTED
from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project
from entropyguard.project.records import Record, read_record
from entropyguard.run.progress_line import progress_text
from entropyguard.run.time_left import Cost, Size, TimeLeft

_READ_BY = {"exact_dedup": "ingest", "near_dedup": "exact_dedup"}
"""Whose rows a stage reads; of the others: those of near_dedup."""


class RunWatch:
    """Looks at the dir of a run: at which stage it is, how far, and what the finished ones took."""

    def __init__(self, project: Project, run_id: str, ahead: list[str], params: Params, *, resume: bool) -> None:
        """ahead: the stages that are out of date, in order."""
        self._paths, self._run = project.paths, run_id
        semantic, model = params.semantic.enabled, params.embed
        self._records = {stage: record for stage in STAGES if (record := project.record(stage))}
        fingerprint = model.model_fingerprint
        earlier = {stage: cost for stage in self._records if (cost := _cost(stage, self._records, fingerprint))}
        sizes = [
            size for stage in ("near_dedup", "exact_dedup", "ingest") if (size := _size_after(stage, self._records))
        ]
        self._left = TimeLeft(
            [stage for stage in ahead if semantic or stage not in ("embed", "similar_pairs")],
            earlier,
            sizes[0] if sizes and resume else None,  # without --resume they may be about other data
            reuse=resume,
            any_model=not semantic or is_static(Path(model.model)),
        )
        self._stage = ""
        # What a run that was killed has left says nothing about this one.
        self._paths.running.unlink(missing_ok=True)
        self._paths.progress.unlink(missing_ok=True)

    def look(self, now: float, width: int) -> str | None:
        """The line for what is going on now, at most `width` long; None before anything is."""
        running = read_json(self._paths.running)
        if running and running["stage"] != self._stage:
            self._begin(running["stage"], now)
        rate = self._left.rate
        if rate is None:
            return None
        note = read_json(self._paths.progress)
        if note and note["stage"] == self._stage:
            rate.hear(note["done"], note["total"], now)
        place = f"stage {STAGES.index(self._stage) + 1} of {len(STAGES)}: "
        return progress_text(self._stage, place, rate, now, self._left.seconds(now), width)

    def _begin(self, stage: str, now: float) -> None:
        for done in STAGES[: STAGES.index(stage)]:
            if done in self._records and self._records[done].run == self._run:
                continue
            record = read_record(self._paths.record(done))
            if record is not None and record.run == self._run:
                self._records[done] = record
                self._left.finish(done, record.seconds, _size_after(done, self._records))
        self._stage = stage
        self._left.begin(stage, now)


def _size_after(stage: str, records: dict[str, Record]) -> Size | None:
    """What the stage after this one reads; None where it is what this one read, or nobody knows."""
    ingest, record = records.get("ingest"), records.get(stage)
    if stage not in ("ingest", "exact_dedup", "near_dedup") or ingest is None or record is None:
        return None
    megabytes = ingest.outputs[INGESTED].bytes / 1e6
    return Size(record.rows or 0, megabytes * (record.rows or 0) / max(ingest.rows or 0, 1))


def _cost(stage: str, records: dict[str, Record], fingerprint: str) -> Cost | None:
    """What a stage cost when it last ran; None where its record does not say for how much."""
    reader = stage if stage == "ingest" else _READ_BY.get(stage, "near_dedup")
    size, record = _size_after(reader, records), records[stage]
    if size is None:
        return None
    counts = record.counts
    all_of_it = counts.get("blocks", counts.get("judged", 0) + counts.get("embedded", 0) + counts.get("reused", 0))
    reused = counts.get("blocks_reused", counts.get("reused", 0))
    valid = stage not in ("embed", "similar_pairs") or record.model_fingerprint == fingerprint
    return Cost(size, record.seconds, 1 - reused / all_of_it if all_of_it else 1.0, valid)
