"""A search of the stored vectors below `search.floor`, for a sweep.

It lies in `.entropyguard/sweep/`, where neither DVC nor a stage looks, and holds for one embeddings.parquet.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import content_digest, put_in_place, read_json, write_json
from entropyguard.core.storage.parts import PartStore
from entropyguard.project.checkpoint_dir import at_rest
from entropyguard.project.layout import EMBEDDINGS, PAIRS
from entropyguard.project.pipeline import STAGE_VERSIONS
from entropyguard.project.project import Project
from entropyguard.project.records import Record
from entropyguard.run.memory import default_max_memory
from entropyguard.run.progress import terminal_progress


def known_pairs(project: Project, floor: float) -> Checkpoint | None:
    """Pairs of an earlier search that reaches down to `floor`; None where there is no sound one of these vectors."""
    pairs, note = _files(project)
    known = read_json(note)
    if not known or not pairs.is_file() or known["of"] != _identity(project) or known["floor"] > floor:
        return None
    return Checkpoint(pairs) if content_digest(pairs) == known["digest"] else None


def search_further(project: Project, floor: float) -> Checkpoint:
    """Search the stored vectors from `floor` up, in place of any earlier such search; a killed one goes on.

    BusyError while a run is at work in the project, which would change what is searched.
    """
    with at_rest(project):
        return _search(project, floor)


def _search(project: Project, floor: float) -> Checkpoint:
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs
    from entropyguard.core.pool.pool import InlinePool

    pairs, note = _files(project)
    pairs.parent.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    identity, temporary, blocks = _identity(project), pairs.with_suffix(".tmp"), pairs.parent / "blocks"
    search = dataclasses.replace(project.params.search, floor=floor)
    with terminal_progress("similar_pairs") as progress:
        embeddings, store = project.checkpoint(EMBEDDINGS), PartStore(blocks)
        find_similar_pairs(embeddings, temporary, search, store, default_max_memory(), progress, InlinePool())
    put_in_place(temporary, pairs)
    write_json(note, {"of": identity, "floor": floor, "digest": content_digest(pairs)})
    PartStore(blocks).remove()
    return Checkpoint(pairs)


def cost(project: Project, floor: float) -> str:
    """What a search from `floor` up would take, for people."""
    from entropyguard.core.pairs.similar_pairs import SKIPPED

    stored = project.checkpoint(PAIRS).metadata
    rows = stored["rows"] - sum(stored.get(why, 0) for why in SKIPPED)
    return (
        f"{floor:g} is below search.floor {stored['search']['floor']:g}: similar pairs below it are not stored. "
        f"--extend searches the stored vectors of {rows:,} rows again: {_duration(project, stored['search'])}."
    )


def _duration(project: Project, search: dict[str, Any]) -> str:
    """How long the search may take, by the stored one and how it was made."""
    seconds = _full_seconds(project.record("similar_pairs"))
    if seconds is None:
        return "how long the stored search took is not known here"
    if search["method"] == "exact":
        # Every pair is looked at, whatever the floor; only what is found and scored grows.
        return f"about the {seconds:,.1f} s of the stored search, more where many pairs lie below its floor"
    most = seconds * search["lists"] / search["probes"]
    return f"{seconds:,.1f} s as for the stored search if as many lists are looked into, {most:,.0f} s if all are"


def _full_seconds(record: Record | None) -> float | None:
    """How long the stored search would take without the block rows it found finished; None where that is not known.

    A block row is compared with all before it, so the n-th is n parts of the work; finished are mostly the first.
    """
    if record is None:
        return None
    blocks, reused = record.counts["blocks"], record.counts["blocks_reused"]
    all_parts, done_parts = blocks * (blocks + 1), reused * (reused + 1)
    return None if all_parts == done_parts else float(record.seconds * all_parts / (all_parts - done_parts))


def _identity(project: Project) -> dict[str, Any]:
    """What decides the pairs of a search, beside its floor."""
    settings = dataclasses.asdict(project.params.search)
    del settings["floor"]
    version = STAGE_VERSIONS["similar_pairs"]
    return {"embeddings": project.digest(EMBEDDINGS), "search": settings, "version": version}


def _files(project: Project) -> tuple[Path, Path]:
    return project.paths.sweep / "pairs.parquet", project.paths.sweep / "pairs.json"
