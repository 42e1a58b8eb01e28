"""A run in this process: the work of the stages over a private folder, without DVC, locks and records."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.api.torch_threads import torch_threads_kept
from entropyguard.core.embed.model import check_fingerprint, is_static, resolve_model
from entropyguard.core.errors import InputError, UsageError
from entropyguard.core.params import Params
from entropyguard.core.pool.pool import InlinePool, Pool, gains
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import Progress, silent
from entropyguard.core.report.lineage import Lineage
from entropyguard.core.rows.source import Place
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.remote_path import RemotePath
from entropyguard.core.storage.watch import Watched
from entropyguard.project.layout import AFTER_SEMANTIC, DROPPED, EMBEDDINGS, INGESTED, PAIRS, REJECTED
from entropyguard.project.pipeline import STAGES, packaged_work
from entropyguard.queries.sweep import NEAR, Sweep, SweepRequest, check_range, sweep_stored
from entropyguard.run.memory import default_max_memory
from entropyguard.run.progress import terminal_progress
from entropyguard.run.request import DATA, Request

if TYPE_CHECKING:
    from entropyguard.core.embed.encoder import Encoder

_LAST = "export"  # of what it writes a caller in memory needs little, and asks for it


class PrivateRun:
    """The run of all stages but the last, and of each of them (a StageRun, and a FinishedRun).

    names: the input files as the user knows them. watched: whether others may write to them meanwhile.
    """

    def __init__(self, folder: Path, params: Params, request: Request, names: list[str], *, watched: bool) -> None:
        self.folder = self._written = folder
        self.params = params
        self.progress: Progress = silent
        self.threads = request.threads
        self.max_memory = request.max_memory or default_max_memory()
        self.allow_download = request.allow_download
        self.pool: Pool = InlinePool()
        self._units = folder / "units"
        self._vector_cache = request.vector_cache
        self._names = names
        self._watched = Watched() if watched else None

    def run(self, *, progress: bool) -> None:
        """Run the stages. What fails is an EntropyguardError where the command line would say so."""
        semantic = self.params.semantic.enabled
        folder = resolve_model(self.params.embed.model, allow_download=self.allow_download) if semantic else None
        with torch_threads_kept(loads_torch=folder is not None and not is_static(folder)):
            for stage in STAGES:
                if stage != _LAST:
                    self._run_stage(stage, progress=progress)
        self.is_at_rest()

    def _run_stage(self, stage: str, *, progress: bool) -> None:
        with terminal_progress(stage) if progress else contextlib.nullcontext(silent) as self.progress:
            packaged_work(stage)(self)
        shutil.rmtree(self._units, ignore_errors=True)

    def watch(self, path: Path | RemotePath) -> None:
        if self._watched is not None and isinstance(path, Path):
            self._watched.add(path)

    def is_at_rest(self) -> bool:
        if self._watched is None:
            return True
        touched, changed = self._watched.look_again()
        if changed is not None:
            raise InputError(f"{changed} changed while it was read. Run again once it is at rest.")
        return not touched

    def input(self, name: str) -> Path:
        return self.folder / name

    def checkpoint(self, name: str) -> Checkpoint:
        return Checkpoint(self.input(name))

    def output(self, name: str) -> Path:
        path = self._written / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def place(self, place: Place) -> str:
        file, line = place
        return f"{self._names[file]}, line {line}" if self._watched is not None else f"{DATA}, row {line - 1}"

    def note(self, line: str) -> None:
        """Nothing: whoever calls has the result to look at."""

    def encoder(self) -> Encoder:
        from entropyguard.core.embed.loader import last_loaded

        embed = self.params.embed
        folder = resolve_model(embed.model, allow_download=self.allow_download)
        check_fingerprint(folder, embed.model_fingerprint)
        return last_loaded(folder, self.threads)

    def vector_store(self) -> PartStore | None:
        if self._vector_cache is None:
            return None
        from entropyguard.core.embed.vector_store import mark_cache

        mark_cache(self._vector_cache)
        return PartStore(self._vector_cache)

    def near_store(self) -> None:
        return None

    def block_store(self) -> None:
        return None

    def spread(self, threads: int = 1) -> Spread | None:
        return Spread(self.pool, self._units) if gains(self.pool, threads) else None

    def lineage(self) -> Lineage:
        """What became of every row."""
        dropped = {stage: self.checkpoint(name) for stage, name in DROPPED.items()}
        kept = self.checkpoint(AFTER_SEMANTIC)
        return Lineage(self.checkpoint(INGESTED), self.input(REJECTED), dropped, kept, self._names)

    def report(self) -> dict[str, Any]:
        """What report.json holds; LossError when more is lost than the guard allows."""
        from entropyguard.core.report.report import build_report

        return build_report(self.lineage(), self.checkpoint(EMBEDDINGS), self.params, self.place)

    def sweep(self, request: SweepRequest) -> Sweep:
        """What other thresholds of a stage would drop."""
        check_range(request)
        if not self.params.near.threshold if request.stage == NEAR else not self.params.semantic.enabled:
            off = "near=0" if request.stage == NEAR else "semantic=False"
            raise UsageError(f"With {off} there are no pairs to sweep. Call dedup without it.")
        return sweep_stored(self, request, self._search_from, silent)

    def _search_from(self, floor: float) -> Checkpoint:
        """The similar pairs from another floor up: the stage's own work, beside what it wrote."""
        further = copy.copy(self)
        further.params = dataclasses.replace(self.params, search=dataclasses.replace(self.params.search, floor=floor))
        further._written = self.folder / "sweep"
        packaged_work("similar_pairs")(further)
        return Checkpoint(further._written / PAIRS)
