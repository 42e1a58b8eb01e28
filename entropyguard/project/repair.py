"""Making a checkpoint dir fit for DVC, which trusts what it finds: cut-off files, damaged copies, leftovers."""

from __future__ import annotations

from entropyguard.core.storage.files import md5_digest
from entropyguard.project.cache import free_unused, remove_leftovers
from entropyguard.project.layout import LOCK, REPORT
from entropyguard.project.lock import drop_damaged_entries, forget_stage
from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project
from entropyguard.project.validity import DAMAGE


def repair(project: Project) -> dict[str, str]:
    """Make a checkpoint dir fit for DVC, which trusts too much; returns what was wrong, by stage.

    A damaged checkpoint goes together with its object in the cache, else DVC would bring the damage back.
    The caller owns the dir, and rereads it.
    """
    found = _repaired_lock(project)
    remove_leftovers(project)
    free_unused(project.reread())  # a damaged copy that nothing refers to would come back with the next equal output
    if _input_went_unwatched(project):
        forget_stage(project.paths.lock, "ingest")
        found["ingest"] = "the input changed after it was read"
    project = project.reread()
    for stage in project.lock:
        if project.record(stage) is None:
            forget_stage(project.paths.lock, stage)
            found[stage] = f"the record {project.paths.record(stage).relative_to(project.root)} is missing"
        found.update(_repaired_outputs(project, stage))
    return found


def _repaired_lock(project: Project) -> dict[str, str]:
    gone = drop_damaged_entries(project.paths.lock)
    return dict.fromkeys(STAGES if gone is None else gone, f"{LOCK} is damaged")


def _repaired_outputs(project: Project, stage: str) -> dict[str, str]:
    """Remove a stage's damaged outputs, and the copies that are no use to bring others back."""
    found, sound = {}, []
    for out, md5 in project.lock[stage].outs.items():
        cached = project.paths.cached(md5)
        if (project.root / out).is_file():
            if not project.is_damaged(out):
                sound.append(out)
                continue
            found[stage] = f"Failed to load checkpoint: {out}: {DAMAGE}; building it again"
            (project.root / out).unlink()
            cached.unlink(missing_ok=True)
        elif out == REPORT or not cached.is_file() or md5_digest(cached) != md5:
            found[stage] = f"{out} is missing"
            cached.unlink(missing_ok=True)
    project.remember_states(sound)
    return found


def _input_went_unwatched(project: Project) -> bool:
    """Whether the input changed between ingest's end and the end of its run, with nobody there to see it.

    DVC may then have recorded the new input beside the old output. A run that ends well has looked, and leaves
    a note of the input it saw.
    """
    record, seen = project.record("ingest"), project.paths.seen_input
    if record is None or (seen.is_file() and seen.stat().st_mtime >= record.finished_at):
        return False
    return any(not seen.is_same(project.root / path) for path, seen in record.inputs.items())
