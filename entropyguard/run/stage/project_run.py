"""What every stage script does around its work, so that a script is: read, call the library, write.

`run_here` makes a stage safe to kill, to run twice, and to run after an upgrade:
it refuses another version of itself, owns the project while it runs, checks the inputs it reads, writes its
outputs under temporary names, fails if an input or `params.yaml` has other content by then, then renames the outputs
and, last, its record into place.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entropyguard.core.errors import (
    DISK_FULL,
    PATH_REFUSED,
    BusyError,
    EntropyguardError,
    InputError,
    OutputError,
    ProcessingError,
    UsageError,
)
from entropyguard.core.no_pandas import leave_pandas_out
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import Progress
from entropyguard.core.rows.source import Place
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import put_in_place, write_json
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.remote_path import RemotePath
from entropyguard.core.storage.watch import Seen, Watched
from entropyguard.core.visible import visible
from entropyguard.project.cache import pulled_embeddings
from entropyguard.project.layout import script_name
from entropyguard.project.pipeline import STAGE_VERSIONS
from entropyguard.project.process import collect_rarely, die_with_parent, end_at_once
from entropyguard.project.project import Project
from entropyguard.project.records import Output, Record, write_record
from entropyguard.run.memory import PeakMemory, default_max_memory
from entropyguard.run.pools import gains, pool_of_environment
from entropyguard.run.progress import file_progress, terminal_progress
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
        from entropyguard.core.embed.loader import load_encoder
        from entropyguard.core.embed.model import check_fingerprint, resolve_model

        folder = resolve_model(self.params.embed.model, allow_download=self.allow_download)
        check_fingerprint(folder, self.params.embed.model_fingerprint)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # from here on no library has a reason to ask
        return load_encoder(folder, self.threads)

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


def run_here(name: str, version: int, work: Callable[[ProjectRun], Counts]) -> None:
    """Run a stage script's `work` in the current directory and exit with its exit code.

    A failure leaves `.entropyguard/error.json` (exit code and message), since DVC reports every failure alike.
    """
    die_with_parent()
    collect_rarely()
    leave_pandas_out()
    project = Project(Path.cwd())
    project.paths.ours.mkdir(exist_ok=True)
    try:
        _run(name, version, work, project)
    except Exception as problem:  # noqa: BLE001  the rim of the process: whatever it is, it ends as an exit code
        failure = as_failure(problem, name, unfinished(project.paths.temporary / name))
        if failure is None:
            traceback.print_exc()
        code = failure.exit_code if failure else 70
        message = str(failure) if failure else f"{name}: {type(problem).__name__}: {problem}"
        _leave_error(project.paths.error, {"stage": name, "exit_code": code, "message": message})
        sys.stderr.write(f"entropyguard: {visible(message)}\n")
        sys.exit(code)
    end_at_once(0)


def _run(name: str, version: int, work: Callable[[ProjectRun], Counts], project: Project) -> None:
    if version != STAGE_VERSIONS[name]:
        raise UsageError(
            f"{script_name(name)} is version {version}, the installed entropyguard's is {STAGE_VERSIONS[name]}. "
            "`entropyguard init --upgrade` brings the scripts up to date; the stage then runs again."
        )
    paths = project.paths
    with paths.stage_lock.open("a+") as lock:
        own_stage_lock(lock.fileno(), project.root)
        end_with_command_line(paths.build_lock)
        paths.error.unlink(missing_ok=True)
        write_json(paths.running, {"stage": name, "pid": os.getpid()})
        start = time.monotonic()
        under_cli = "ENTROPYGUARD_RUN" in os.environ
        show = file_progress(paths.progress, name) if under_cli else terminal_progress(name)
        with PeakMemory() as peak, show as progress:
            run = ProjectRun(name, project, progress)
            with contextlib.closing(run.pool):
                counts = work(run)
            run.finish(counts, time.monotonic() - start, peak.bytes())
        paths.running.unlink(missing_ok=True)


def own_stage_lock(descriptor: int, project: Path) -> None:
    """Hold the project's stage lock until the process ends; BusyError when another stage holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(f"A stage of another run is still at work in {project}. Wait for it, or end it.") from error


def end_with_command_line(lock: Path) -> None:
    """Let this process end when the command line that started it does, or now if it is gone already.

    The kernel frees the command line's `lock` however it dies. `die_with_parent` alone does not reach a stage:
    its parent is the shell that DVC starts, and the shell lives on when DVC is killed.
    """
    owner = os.environ.get("ENTROPYGUARD_PARENT")
    if owner is None:
        return
    if lock.read_text(encoding="utf-8") != owner:
        sys.exit("entropyguard: the run that started this stage is gone, and another one has taken its place.")

    def wait() -> None:
        with lock.open() as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH)
            os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def unfinished(folder: Path) -> str:
    """The outputs that a stage had begun to write, as they are called in the project."""
    return ", ".join(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()))


def as_failure(problem: Exception, stage: str, begun: str) -> EntropyguardError | None:
    """The error as one of ours; None for a bug. `begun`: the outputs that were being written."""
    if isinstance(problem, EntropyguardError):
        return problem
    if isinstance(problem, MemoryError):
        return ProcessingError(
            f"{stage} ran out of memory. Resume with a lower --max-memory; nothing finished is lost."
        )
    if isinstance(problem, OSError) and problem.errno in DISK_FULL:
        what = f"; {begun} did not fit" if begun else ""
        return OutputError(f"{stage}: the disk is full ({problem.strerror}){what}. Free some space and resume.")
    if isinstance(problem, OSError) and problem.errno in PATH_REFUSED:
        return OutputError(f"{stage}: {problem.filename} cannot be written or read ({problem.strerror}).")
    return None


def _leave_error(path: Path, content: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # on a full disk the message still reaches stderr, from where it is taken
        write_json(path, content)
