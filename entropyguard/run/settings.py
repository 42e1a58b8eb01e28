"""From a request to the parameters of the run: the packaged defaults, changed by what was asked for."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from entropyguard.core.embed.model import model_fingerprint, resolve_model
from entropyguard.core.errors import DataFormatError, UsageError
from entropyguard.core.params import PROTECTED, Params
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import Paths, listed_names, text_paths
from entropyguard.project.layout import PARAMS
from entropyguard.project.linked_input import linked_input
from entropyguard.project.pipeline import packaged_files
from entropyguard.run.publish import output_format
from entropyguard.run.request import Request
from entropyguard.run.saved_dataset import is_folder

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


def default_params() -> Params:
    """The packaged `params.yaml`: the one place where defaults live."""
    return Params.load(packaged_files()[PARAMS])


def params_of(request: Request, sources: list[Source]) -> Params:
    """The parameters of the run: the packaged defaults, changed by the flags that were given."""
    params = with_settings(default_params(), request)
    schema = _schema(sources)
    column = _text_column(request, sources, schema, params.ingest.text_column)
    _check_fit(sources[0], schema, column, params.output.format)
    if schema is not None and is_folder(request.output) and sources[0].record_format == "parquet":
        from entropyguard.core.export.dataset_types import check_loadable  # pyarrow, only for those who want a folder

        check_loadable(schema, request.output)
    if params.output.mark:
        from entropyguard.core.export.marks import check_names  # polars, only for those who want marks
        from entropyguard.core.ingest.columns import first_columns

        names = first_columns(sources) if schema is None else [field.name for field in schema]
        check_names(names, params.output.format)
    params = dataclasses.replace(
        params,
        input=linked_input(sources).param,
        ingest=dataclasses.replace(params.ingest, text_column=column),
        embed=dataclasses.replace(params.embed, model_fingerprint=_fingerprint(params, request)),
    )
    return Params.from_dict(params.as_dict())  # the same checks as those of a params.yaml


def say_texts(request: Request, params: Params, say: Callable[[str], None]) -> None:
    """Say which columns of texts were chosen, where nothing was said and they are not the usual ones."""
    chosen = params.ingest.text_column
    if request.text_column is None and chosen != default_params().ingest.text_column:
        say(f"texts: {' + '.join(listed_names(chosen))} (found; --text-column names others)")


def _fingerprint(params: Params, request: Request) -> str:
    """The model's; empty where no model is needed, so that one that is not there does not matter."""
    if not params.semantic.enabled:
        return ""
    return model_fingerprint(resolve_model(params.embed.model, allow_download=request.allow_download))


def _schema(sources: list[Source]) -> list[pa.Field] | None:
    """The columns that headers or schemas name, read once; None of JSON lines, which may name more in any row."""
    if sources[0].record_format == "jsonl":
        return None
    from entropyguard.core.ingest.columns import fields_of  # pyarrow, for what has to be looked at

    return fields_of(sources)


def _check_fit(source: Source, schema: list[pa.Field] | None, text_column: str | tuple[str, ...], output: str) -> None:
    """DataFormatError for what the output's format cannot hold, as far as schemas or the first file's rows tell."""
    kind = output.partition(".")[0]
    if source.record_format in (kind, "csv"):
        return
    from entropyguard.core.export.json_rows import check_rows, check_types  # pyarrow, only for those who convert

    if schema is None:
        from entropyguard.core.ingest.sample import sample_rows

        check_rows(sample_rows(source, text_column), kind, lambda place: f"{source}, line {place[1]}")
    else:
        check_types(schema, kind)


def with_settings(params: Params, request: Request) -> Params:
    """The flags' values in place of defaults; a UsageError names a bad one."""
    given = request.dedup_threshold
    threshold = params.semantic.dedup_threshold if given is None else given
    if not 0 < threshold <= 1:
        raise UsageError(f"--dedup-threshold is {threshold}; it must be a cosine above 0 and at most 1.")
    model = request.model_name or params.embed.model
    if Path(model).is_dir():
        model = os.path.abspath(model)  # noqa: PTH100  a stage runs elsewhere; links stay as the user wrote them
    return dataclasses.replace(
        params,
        ingest=_changed(
            params.ingest,
            required_columns=request.required_columns,
            strict=request.strict,
            encoding=request.encoding,
        ),
        chunks=_changed(
            params.chunks,
            size=request.chunk_size,
            overlap=request.chunk_overlap,
            separators=request.separators or None,
        ),
        exact=_changed(params.exact, min_length=request.min_length),
        keep=_changed(
            params.keep,
            policy=request.keep,
            source_column=request.source_column,
            source_priority=request.source_priority or None,
        ),
        near=_changed(params.near, threshold=request.near_threshold, protect_numbers=request.protect_numbers or None),
        embed=dataclasses.replace(params.embed, model=model),
        # Pairs are stored from the floor up, so a lower threshold needs a lower floor.
        search=dataclasses.replace(params.search, floor=min(params.search.floor, threshold)),
        semantic=_changed(
            params.semantic,
            enabled=False if request.no_semantic else None,
            dedup_threshold=threshold,
            cluster=request.cluster,
            protect=_protected(params.semantic.protect, request),
        ),
        guard=_changed(params.guard, max_loss=request.max_loss),
        output=dataclasses.replace(params.output, format=output_format(request.output), mark=request.mark),
    )


def _protected(default: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """What keeps semantic duplicates apart, in one order; a UsageError names the kinds."""
    kinds = default if request.protect is None else request.protect
    if request.protect is not None and (not kinds or not set(kinds) <= set(PROTECTED)):
        raise UsageError(
            f"--protect is {','.join(kinds)!r}; it must be one or more of {', '.join(PROTECTED)}, "
            "with commas between them. For none of them there is --no-protect."
        )
    if request.no_protect and request.protect is not None:
        raise UsageError("--no-protect and --protect say the opposite of each other. Leave one of them out.")
    wanted = {*(() if request.no_protect else kinds), *(["numbers"] if request.protect_numbers else [])}
    return tuple(kind for kind in PROTECTED if kind in wanted)


def _changed(section: T, **given: Any) -> T:
    """The section with the values that were given; None stands for a flag that was not."""
    return dataclasses.replace(section, **{name: value for name, value in given.items() if value is not None})  # type: ignore[type-var]


def _text_column(
    request: Request, sources: list[Source], schema: list[pa.Field] | None, default: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """The columns of texts: those that were asked for, as far as can be seen before rows are read, or found."""
    if request.text_column is not None and schema is None:
        return request.text_column  # a JSON key may first show up anywhere: ingest has the last word
    from entropyguard.core.ingest.batches import check_columns, listed  # pyarrow, for what has to be looked at
    from entropyguard.core.ingest.columns import paths_of_input, text_columns
    from entropyguard.core.rows.arrow_texts import paths_of_fields

    if request.text_column is not None and schema is not None:
        check_columns(sources[0], schema, text_paths(request.text_column), ())
        return request.text_column
    paths = paths_of_input(sources, listed_names(default)[0]) if schema is None else paths_of_fields(schema)
    found = text_columns(paths, listed_names(default)[0])
    if not found:
        _refuse_other_forms(sources, paths)
        raise DataFormatError(
            f"--text-column is needed: {request.input} has no single text column "
            f"(columns: {listed(paths.nearest_first())})."
        )
    return found[0] if len(found) == 1 else tuple(found)


def _refuse_other_forms(sources: list[Source], paths: Paths) -> None:
    """DataFormatError that says what JSONL looks like of which no row could be parsed."""
    if sources[0].record_format == "jsonl" and not paths.columns:
        from entropyguard.core.ingest.forms import form_of

        form = form_of(sources[0])
        if form is not None:
            raise DataFormatError(form)
