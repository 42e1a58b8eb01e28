"""A search of the stored vectors below `search.floor`, for a sweep.

It lies in `.entropyguard/sweep/`, where neither DVC nor a stage looks, and holds for one embeddings.parquet.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.params import Params
from entropyguard.core.progress import Progress
from entropyguard.core.storage.files import FileState, content_digest, put_in_place, read_json, write_json
from entropyguard.project.pipeline import STAGE_VERSIONS
from entropyguard.project.records import FOLDER, find_record, read_sidecar
from entropyguard.run.progress import terminal_progress
from entropyguard.run.stage import default_max_memory

if TYPE_CHECKING:
    from entropyguard.core.arrays import Bools, Floats, Ints
    from entropyguard.core.embed.encoder import Encoder
    from entropyguard.core.pairs.rescoring import ExactVectors
    from entropyguard.core.storage.parts import PartStore

_FOLDER = f"{FOLDER}/sweep"
_EMBEDDINGS = "embeddings.parquet"
_AFTER_EXACT = "after_exact_dedup.parquet"


def known_pairs(project: Path, params: Params, floor: float) -> Path | None:
    """Pairs of an earlier search that reaches down to `floor`; None where there is no sound one of these vectors."""
    pairs, note = _places(project)
    known = read_json(note)
    if not known or not pairs.is_file() or known["of"] != _identity(project, params) or known["floor"] > floor:
        return None
    return pairs if content_digest(pairs) == known["digest"] else None


def search_further(project: Path, params: Params, floor: float) -> Path:
    """Search the stored vectors from `floor` up, in place of any earlier such search; a killed one goes on."""
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs
    from entropyguard.core.storage.parts import PartStore

    pairs, note = _places(project)
    pairs.parent.mkdir(parents=True, exist_ok=True)
    note.unlink(missing_ok=True)
    identity, temporary, blocks = _identity(project, params), pairs.with_suffix(".tmp"), pairs.parent / "blocks"
    search = dataclasses.replace(params.search, floor=floor)
    with terminal_progress("similar_pairs") as progress:
        find_similar_pairs(
            project / _EMBEDDINGS,
            temporary,
            search,
            PartStore(blocks),
            default_max_memory(),
            progress,
            exact_vectors=_exact_vectors(project, params, progress),
        )
    put_in_place(temporary, pairs)
    write_json(note, {"of": identity, "floor": floor, "digest": content_digest(pairs)})
    shutil.rmtree(blocks)
    return pairs


def _encoder(params: Params, precision: str) -> Encoder:
    from entropyguard.core.embed.loader import load_encoder
    from entropyguard.core.embed.model import check_fingerprint, resolve_model

    folder = resolve_model(params.embed.model, allow_download=False)
    check_fingerprint(folder, params.embed.model_fingerprint)
    return load_encoder(folder, precision=precision)


def _vector_store(project: Path) -> PartStore:
    from entropyguard.core.storage.parts import PartStore

    return PartStore(project / FOLDER / "vectors")


def _exact_vectors(project: Path, params: Params, progress: Progress) -> ExactVectors:
    """Float32 vectors for the search to ask for, as the stage similar_pairs has them."""

    def embedded(wanted: Bools) -> Iterator[tuple[Ints, Floats]]:
        from entropyguard.core.embed.row_vectors import exact_vectors

        encoder, store = _encoder(params, "float32"), _vector_store(project)
        return exact_vectors(project / _AFTER_EXACT, wanted, encoder, params.embed.max_windows, store, progress)

    return embedded


def cost(project: Path, floor: float) -> str:
    """What a search from `floor` up would take, for people."""
    from entropyguard.core.storage.checkpoint import Checkpoint

    about = Checkpoint(project / "similar_pairs.parquet").metadata
    rows = about["rows"] - about["unreadable"] - about["over_long"]
    return (
        f"{floor:g} is below search.floor {about['search']['floor']:g}: similar pairs below it are not stored. "
        f"--extend searches the stored vectors of {rows:,} rows again: {_duration(project, about['search'])}."
    )


def _duration(project: Path, search: dict[str, Any]) -> str:
    """How long the search may take, by the stored one and how it was made."""
    seconds = _full_seconds(read_sidecar(project, "similar_pairs"))
    if seconds is None:
        return "how long the stored search took is not known here"
    if search["method"] == "exact":
        # Every pair is looked at, whatever the floor; only what is found and scored grows.
        return f"about the {seconds:,.1f} s of the stored search, more where many pairs lie below its floor"
    most = seconds * search["lists"] / search["probes"]
    return f"{seconds:,.1f} s as for the stored search if as many lists are looked into, {most:,.0f} s if all are"


def _full_seconds(sidecar: dict[str, Any] | None) -> float | None:
    """How long the stored search would take without the block rows it found finished; None where that is not known.

    A block row is compared with all before it, so the n-th is n parts of the work; finished are mostly the first.
    """
    if sidecar is None:
        return None
    blocks, reused = sidecar["counts"]["blocks"], sidecar["counts"]["blocks_reused"]
    all_parts, done_parts = blocks * (blocks + 1), reused * (reused + 1)
    return None if all_parts == done_parts else float(sidecar["seconds"] * all_parts / (all_parts - done_parts))


def _identity(project: Path, params: Params) -> dict[str, Any]:
    """What decides the pairs of a search, beside its floor."""
    settings = dataclasses.asdict(params.search)
    del settings["floor"]
    version = STAGE_VERSIONS["similar_pairs"]
    return {"embeddings": _digest(project, _EMBEDDINGS), "search": settings, "version": version}


def _digest(project: Path, name: str) -> str:
    """A checkpoint's digest, from its record where it is untouched since."""
    record = find_record(project, name)
    if record is not None and record.entry["state"] == FileState.of(project / name).as_dict():
        return str(record.entry["digest"])
    return content_digest(project / name)


def _places(project: Path) -> tuple[Path, Path]:
    folder = project / _FOLDER
    return folder / "pairs.parquet", folder / "pairs.json"
