"""What the work of a stage is given in a project, and what makes it safe to kill, to run twice, and after an upgrade.

It checks the inputs that are read, has outputs written under temporary names, fails if an input or `params.yaml` has
other content by then, then renames the outputs and, last, its record into place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from entropyguard.core.errors import (
    EntropyguardError,
    InputError,
)
from entropyguard.core.pool.pool import gains
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import Progress
from entropyguard.core.rows.source import Place
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import put_in_place
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.remote_path import RemotePath
from entropyguard.core.storage.watch import Seen, Watched
from entropyguard.core.visible import visible
from entropyguard.project.cache import pulled_embeddings
from entropyguard.project.pipeline import STAGE_VERSIONS
from entropyguard.project.project import Project
from entropyguard.project.records import Output, Record, write_record
from entropyguard.run.memory import default_max_memory
from entropyguard.run.pools import pool_of_environment
from entropyguard.run.stage_run import Counts

if TYPE_CHECKING:
    from entropyguard.core.embed.encoder import Encoder


class ProjectRun:
    """One run of one stage in a project (a StageRun)."""

    def __init__(self, name: str, project: Project, progress: Progress) -> None:
        self.name = name
        self.project = project
        self.progress = progress
        self.threads = int(os.environ["ENTROPYGUARD_THREADS"]) if "ENTROPYGUARD_THREADS" in os.environ else None
        self.max_memory = int(os.environ.get("ENTROPYGUARD_MAX_MEMORY", default_max_memory()))
        self.allow_download = "ENTROPYGUARD_ALLOW_DOWNLOAD" in os.environ
        self.pool = pool_of_environment(project.paths.temporary / name, self.note)
        self._watched = Watched()
        self._remote: list[RemotePath] = []
        self._outputs: dict[str, Path] = {}
        self._temporary = project.paths.temporary / name
        self._units = project.paths.units / name
        shutil.rmtree(self._temporary, ignore_errors=True)
        self.watch(project.paths.params)
        self.params = project.params

    def watch(self, path: Path | RemotePath) -> None:
        """Remember a file that the result depends on; `finish` fails if a local one has other content by then."""
        if isinstance(path, RemotePath):
            self._remote.append(path)
        else:
            self._watched.add(path)

    def is_at_rest(self) -> bool:
        """Whether no watched file was touched since the last look; InputError when one has other content.

        Who reads a file that others may write to reads it again then: it may have been another one in between.
        """
        touched, changed = self._watched.look_again()
        self._refuse(changed)
        return not touched

    def input(self, name: str) -> Path:
        """An output of another stage that this one reads, checked against what was written."""
        path = self.project.sound(name)
        self._watched.add(path, self.project.digest(name))
        return path

    def checkpoint(self, name: str) -> Checkpoint:
        """The same, of a Parquet file: opened."""
        return Checkpoint(self.input(name), self.project.digest(name))

    def place(self, place: Place) -> str:
        """Where a row of the input stands, for messages; by the file's number where the file is gone meanwhile."""
        from entropyguard.core.ingest.inputs import find_sources  # only for a run that fails

        file, line = place
        try:
            named = str(find_sources(self.params.input)[file])
        except (EntropyguardError, IndexError):
            named = f"file {file + 1}"
        return f"{named}, line {line}"

    def note(self, line: str) -> None:
        """A line on stderr, for `dvc repro`; the command line says it itself."""
        sys.stderr.write(f"entropyguard: {line}\n")

    def encoder(self) -> Encoder:
        """The model in the parameters, loaded; UsageError when its files are not those of the fingerprint there."""
        from entropyguard.core.embed.loader import last_loaded
        from entropyguard.core.embed.model import check_fingerprint, resolve_model

        folder = resolve_model(self.params.embed.model, allow_download=self.allow_download)
        check_fingerprint(folder, self.params.embed.model_fingerprint)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # from here on no library has a reason to ask
        return last_loaded(folder, self.threads)

    def vector_store(self) -> PartStore:
        """Where vectors are kept by content: the project's own folder, or the one named by --vector-cache."""
        shared = os.environ.get("ENTROPYGUARD_VECTOR_CACHE")
        if shared:
            from entropyguard.core.embed.vector_store import mark_cache

            mark_cache(Path(shared))
        store = PartStore(Path(shared)) if shared else self._store(self.project.paths.vectors)
        if "ENTROPYGUARD_FRESH" not in os.environ:
            store.offered = pulled_embeddings(self.project, store.folder)
        return store

    def near_store(self) -> PartStore:
        """Where near_dedup keeps what it found out about texts and pairs of them."""
        return self._store(self.project.paths.near)

    def block_store(self) -> PartStore:
        """Where finished blocks of the search are kept."""
        return self._store(self.project.paths.blocks)

    def spread(self, threads: int = 1) -> Spread | None:
        """The pool, with a folder that goes when the stage has finished."""
        if not gains(self.pool, threads):
            return None
        folder = self._units / str(STAGE_VERSIONS[self.name])
        known = folder.rglob("*") if "ENTROPYGUARD_FRESH" in os.environ else ()
        return Spread(self.pool, folder, frozenset(known))

    def _store(self, folder: Path) -> PartStore:
        """One of the project's own; a run without --resume reads nothing of what is there already."""
        return PartStore.fresh(folder) if "ENTROPYGUARD_FRESH" in os.environ else PartStore(folder)

    def output(self, name: str) -> Path:
        """Where to write an output; it is renamed to its place when the stage has finished."""
        self._outputs[name] = self._temporary / name
        self._outputs[name].parent.mkdir(parents=True, exist_ok=True)
        return self._outputs[name]

    def finish(self, counts: Counts, seconds: float, peak_bytes: int) -> None:
        """Put the outputs in their places; the record comes last."""
        self._refuse(self._watched.changed())
        outputs = {}
        for name, temporary in self._outputs.items():
            final = self.project.root / name
            final.parent.mkdir(parents=True, exist_ok=True)
            put_in_place(temporary, final)
            outputs[name] = Output.of(final)
        for stale in self.project.outputs_of(self.name) - set(outputs):
            self._remove_stale(stale)
        shutil.rmtree(self._temporary, ignore_errors=True)
        shutil.rmtree(self._units, ignore_errors=True)
        with contextlib.suppress(OSError):  # another stage that was killed has something there, or there is no folder
            self.project.paths.units.rmdir()
        params = self.project.paths.params
        inputs = {str(path): seen for path, seen in self._watched.seen.items() if path != params}
        # Of a file that was read in parts no digest is known: its state alone tells it.
        inputs |= {path.url: Seen(path.state, "".join(path.digests[-1:])) for path in self._remote}
        record = Record(
            stage=self.name,
            version=STAGE_VERSIONS[self.name],
            run=os.environ.get("ENTROPYGUARD_RUN", ""),
            finished_at=time.time(),
            seconds=round(seconds, 3),
            peak_bytes=peak_bytes,
            model_fingerprint=self.params.embed.model_fingerprint,
            counts=counts,
            inputs=inputs,
            outputs=outputs,
        )
        write_record(self.project.paths.record(self.name), record)

    def _remove_stale(self, name: str) -> None:
        """Remove what this stage wrote last under a name it has no more, as in another format: it would go stale."""
        path = self.project.root / name
        if path.is_file() and not self.project.is_damaged(name):
            path.unlink()
        elif path.is_file():
            sys.stderr.write(f"entropyguard: {visible(name)} was edited and stays; it is no result any more.\n")

    def _refuse(self, changed: Path | None) -> None:
        if changed is not None:
            raise InputError(f"{changed} changed while {self.name} was reading it. Run again once it is at rest.")
