"""`entropyguard.dedup`: the command line's work, from Python."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from entropyguard.api.arguments import check, names, path, switch, told_by_arguments
from entropyguard.api.data import Data, known_data
from entropyguard.api.private_run import PrivateRun
from entropyguard.api.project_run import ProjectAnswers
from entropyguard.api.result import DedupResult
from entropyguard.core.export.writers import write_records
from entropyguard.core.ingest.inputs import find_input
from entropyguard.core.params import OUTPUT_FORMATS, Protection
from entropyguard.core.progress import silent
from entropyguard.core.rows.priority import column_of_policy
from entropyguard.project.layout import AFTER_SEMANTIC, cleaned
from entropyguard.project.project import Project
from entropyguard.run.build import run_build
from entropyguard.run.request import DATA, STDIN, Request
from entropyguard.run.settings import params_of
from entropyguard.run.wrong_use import check_request

T = TypeVar("T", bound="Sized | os.PathLike[str]")


def dedup(
    data: T,
    *,
    text: str | Sequence[str] | None = None,
    threshold: float | None = None,
    near: float | None = None,
    semantic: bool = True,
    keep: Literal["first", "longest", "shortest"] | str | None = None,
    source_column: str | None = None,
    source_priority: Sequence[str] = (),
    cluster: Literal["stars", "components"] | None = None,
    protect: Sequence[Protection] | None = None,
    protect_numbers: bool = False,
    min_length: int | None = None,
    required_columns: Sequence[str] = (),
    strict: bool = False,
    encoding: str | None = None,
    max_loss: float | None = None,
    model: str | os.PathLike[str] | None = None,
    allow_download: bool = False,
    threads: int | None = None,
    max_memory: int | None = None,
    vector_cache: str | os.PathLike[str] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> DedupResult[T]:
    """Remove exact, near and semantic duplicates; the same rows stay as with the command line.

    data: a list of strings or of dicts, a polars or pandas DataFrame, an Arrow table, a Hugging Face Dataset, or the
        path of a file, a folder or a glob. None of it is changed; what stays is of the same type, and nothing of it is
        converted.
    text: the column that is compared, a path such as "messages[].content", or a list of such. None finds it, as the
        command line does: "text", a chat, an instruction or a prompt with its answer, or the only one that holds text.
    threshold: the cosine at or above which a row is a semantic duplicate (0.95).
    near: the word similarity at or above which it is a near-duplicate (0.85); 0 leaves these in.
    semantic: False removes exact and near-duplicates only, and needs no model.
    keep: which of several duplicates stays: first, longest, shortest, column:NAME (the highest) or column:NAME:min.
    source_column, source_priority: where rows come from, and whose are kept before all others.
    cluster: stars drops what is like the row that is kept, components what is like any row of a group.
    protect: which other facts keep two texts of one template apart (all of them); [] for none.
    protect_numbers: texts that differ in their numbers are no duplicates of any kind.
    min_length: characters; shorter texts are dropped, too.
    required_columns, strict: rows without a value in one of these are rejected; a rejected row is an error.
    encoding: of a path's text, where it is not UTF-8, such as "utf-16" or "cp1252".
    max_loss: LossError where more than this share would go, of all rows or of a source.
    model: the packaged model's name (all-MiniLM-L6-v2), a folder, or with allow_download a name on the hub. The one
        that was used last stays loaded.
    threads, max_memory: how many threads to use (all), and bytes for the search (half of the machine's).
    vector_cache: a folder where vectors are kept, for other calls and for the command line.
    checkpoint_dir: builds there, as the command line does with --resume: on DVC, in processes of its own; it can be
        killed and goes on, and a change redoes what it touches.
    progress: show it on stderr.

    Every error is an EntropyguardError: a UsageError names the argument that is wrong, a DataFormatError what the data
    lack.
    """
    request = Request(
        input="",
        output="",
        text_column=_names_of_text(text),
        checkpoint_dir=path("checkpoint_dir", checkpoint_dir),
        resume=checkpoint_dir is not None,
        dedup_threshold=threshold,
        near_threshold=near,
        min_length=min_length,
        no_semantic=not switch("semantic", semantic),
        model_name=os.fspath(model) if isinstance(model, os.PathLike) else model,
        allow_download=allow_download,
        required_columns=names("required_columns", required_columns),
        keep=keep,
        source_column=source_column,
        source_priority=names("source_priority", source_priority),
        cluster=cluster,
        protect=names("protect", protect) if protect else None,
        no_protect=protect is not None and not protect,
        protect_numbers=protect_numbers,
        max_loss=max_loss,
        strict=strict,
        encoding=encoding,
        max_memory=max_memory,
        threads=threads,
        vector_cache=path("vector_cache", vector_cache),
        quiet=not progress,
    )
    folder = Path(tempfile.mkdtemp(prefix="entropyguard-"))
    try:
        with told_by_arguments(folder, Project(request.checkpoint_dir or folder).paths.ours):
            check(request)
            return cast("DedupResult[T]", _deduplicated(data, request, folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _names_of_text(text: Any) -> str | tuple[str, ...] | None:
    return names("text", text) if isinstance(text, list | tuple) else text


def _deduplicated(data: Any, request: Request, folder: Path) -> DedupResult[Any]:
    rows = None if isinstance(data, str | os.PathLike) else known_data(data)
    if rows is not None:
        request = _with_text(rows, request, folder)
    request = dataclasses.replace(request, output=str(folder / cleaned(rows.format if rows else _format(data))))
    if request.checkpoint_dir is not None:
        return _in_checkpoint_dir(data, rows, request, folder)
    return _in_process(data, rows, request, folder)


def _in_process(data: Any, rows: Data | None, request: Request, folder: Path) -> DedupResult[Any]:
    spec = os.fspath(data) if rows is None else str(rows.write(folder, _columns(request)))
    request = dataclasses.replace(request, input=spec)
    check_request(request)
    sources = find_input(spec).sources
    params = dataclasses.replace(params_of(request, sources), input=spec)
    named = [str(source.path) for source in sources] if rows is None else [DATA]
    run = PrivateRun(folder, params, request, named, watched=rows is None)
    run.run(progress=not request.quiet)
    if params.guard.max_loss < 1:
        run.report()  # which raises where more is lost
    checkpoint = run.checkpoint(AFTER_SEMANTIC)
    if rows is None:
        write_records(checkpoint, Path(request.output), params.output.format, silent, run.place, spread=run.spread())
    kept = _path_like(data, request.output) if rows is None else rows.select(checkpoint.row_ids)
    return DedupResult(kept, checkpoint.row_ids, run, folder)


def _in_checkpoint_dir(data: Any, rows: Data | None, request: Request, folder: Path) -> DedupResult[Any]:
    if rows is None:
        request = dataclasses.replace(request, input=os.fspath(data))
    else:
        spool = partial(rows.write, columns=_columns(request))
        request = dataclasses.replace(request, input=STDIN, spool=spool)
    run_build(request, _say_nothing)
    shutil.rmtree(folder)  # with the output, which lies in the checkpoint dir as well
    project = Project(Path(os.path.realpath(str(request.checkpoint_dir))))
    kept_rows = project.checkpoint(AFTER_SEMANTIC).row_ids
    output = project.root / Path(request.output).name
    kept = _path_like(data, str(output)) if rows is None else rows.select(kept_rows)
    return DedupResult(kept, kept_rows, ProjectAnswers(project), None)


def _with_text(rows: Data, request: Request, folder: Path) -> Request:
    """The request with the text column named: found, where it is not, as the command line finds it."""
    if request.text_column is not None or rows.text is not None:
        return dataclasses.replace(request, text_column=request.text_column or rows.text)
    sample = rows.sample(folder)
    request = dataclasses.replace(request, input=str(sample), output=str(folder / cleaned(rows.format)))
    params = params_of(dataclasses.replace(request, no_semantic=True), find_input(str(sample)).sources)
    return dataclasses.replace(request, text_column=params.ingest.text_column)


def _columns(request: Request) -> list[str]:
    """The columns that decide, each once."""
    text = request.text_column or ()
    policy = column_of_policy(request.keep) if request.keep else None
    others = [policy, request.source_column, *request.required_columns]
    return list(dict.fromkeys([*([text] if isinstance(text, str) else text), *filter(None, others)]))


def _format(spec: str | os.PathLike[str]) -> str:
    """The output format of a path's kind of files."""
    first = find_input(os.fspath(spec)).sources[0]
    known = [".".join(filter(None, parts)) for parts in ((first.kind, first.compression), (first.kind,), ("jsonl",))]
    return next(one for one in known if one in OUTPUT_FORMATS)


def _path_like(given: str | os.PathLike[str], found: str) -> str | Path:
    return found if isinstance(given, str) else Path(found)


def _say_nothing(line: str) -> None:
    """What there is to say stands in the result."""
