"""When a checkpoint still stands for an input and a configuration: the hashes and comparisons behind that."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from entropyguard.core.embed.model import PACKAGED_NAMES
from entropyguard.core.errors import InputError, UsageError
from entropyguard.core.rows.source import CHECKPOINT_MARKER
from entropyguard.core.storage.files import directory_hash, md5_digest

FLAG_NAMES = {
    "text_column": "ingest.text_column",
    "required_columns": "ingest.required_columns",
    "strict": "ingest.strict",
    "encoding": "ingest.encoding",
    "min_length": "exact.min_length",
    "keep": "keep.policy",
    "source_column": "keep.source_column",
    "source_priority": "keep.source_priority",
    "near_threshold": "near.threshold",
    "model_name": "embed.model",
    "dedup_threshold": "semantic.dedup_threshold",
    "cluster": "semantic.cluster",
    "protect": "semantic.protect",
    "protect_numbers": "near.protect_numbers",
    "chunk_size": "chunks.size",
    "chunk_overlap": "chunks.overlap",
    "separators": "chunks.separators",
    "max_loss": "guard.max_loss",
    "mark": "output.mark",
}
"""The parameters that a flag of the command line sets, by the flag's name."""

_NOT_HASHED_BY_DVC = (".dvc", ".git", ".hg")


def input_hash(path: Path) -> str:
    """The hash DVC has for a file (md5 of its bytes) or for a folder (ends in `.dir`).

    InputError when something there cannot be read; UsageError for a link to a folder inside a folder, because
    DVC does not look behind it and a change there would go unnoticed.
    """
    return files_hash(files_of(path))


def files_of(path: Path) -> dict[str, Path]:
    """The files that DVC hashes for a path, by their name in the hash: "" for a file, else relative to the folder."""
    if not path.is_dir():
        return {"": path}
    return {str(file.relative_to(path)): file for file in _files_below(path)}


def files_hash(files: dict[str, Path]) -> str:
    """The hash DVC has for a lone file, which goes by the name "", or for files by their path in a folder."""
    if list(files) == [""]:
        return _md5(files[""])
    return directory_hash({name: _md5(file) for name, file in files.items()})


def _files_below(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        parent = Path(here)
        # A checkpoint dir below the input would change its hash with every save.
        folders[:] = [
            name
            for name in folders
            if name not in _NOT_HASHED_BY_DVC and not (parent / name / CHECKPOINT_MARKER).exists()
        ]
        link = next((parent / name for name in folders if (parent / name).is_symlink()), None)
        if link is not None:
            raise UsageError(
                f"{link} is a link to a folder, so a change behind it would go unnoticed. "
                "Name that folder itself as the input."
            )
        yield from (parent / name for name in names)


def _md5(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no regular file. Name a file or a folder of files as the input.")
    try:
        return md5_digest(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check the input's path.") from error


def config_hash(config: Any) -> str:
    """md5 of a configuration as JSON with sorted keys: equal for equal ones, whatever the order of their keys.

    UsageError for what is no mapping or has no JSON form.
    """
    text = json.dumps(canonical_config(config), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def canonical_config(config: Any) -> dict[str, Any]:
    """A configuration of plain JSON values: lists for tuples, 1 for 1.0. UsageError names what cannot be one."""
    if not isinstance(config, dict):
        raise UsageError(f"config_dict is {config!r}; it must be a dict of JSON values.")
    try:
        canonical: dict[str, Any] = _canonical(config, "config_dict")
    except RecursionError as error:
        raise UsageError("config_dict is nested too deeply, or in itself; it must be a dict of JSON values.") from error
    return canonical


def _canonical(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [_canonical(item, f"{name}[{at}]") for at, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _canonical(item, f"{name}[{key!r}]") for key, item in value.items()}
    raise UsageError(
        f"{name} is {value!r}, which is no JSON value, so a later run could not compare it. "
        "Give text, a finite number, true or false, None, a list, or a dict with text keys (a path as str)."
    )


def pipeline_config_matches(keys: dict[str, Any], config: Any) -> bool:
    """Whether the parameters in `config` that a pipeline's checkpoint depends on have the values in `keys`.

    `config` may name them dotted, nested, or as the flags do. What the checkpoint does not depend on, and what is
    no parameter at all, is ignored; so is a parameter that `config` does not name.
    """
    depends_on = canonical_config(keys)
    given = [_as_parameter(name, value) for name, value in _flat(canonical_config(config), "")]
    return all(_comparable(name, depends_on[name]) == _comparable(name, value) for name, value in given if name in keys)


def _as_parameter(flag: str, value: Any) -> tuple[str, Any]:
    """A setting by the name of its parameter; `no_semantic` and `no_protect` set the opposite of their own value."""
    if flag == "no_semantic" and isinstance(value, bool):
        return "semantic.enabled", not value
    if flag == "no_protect" and value is True:
        return "semantic.protect", []
    return FLAG_NAMES.get(flag, flag), value


def _flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _comparable(name: str, value: Any) -> tuple[bool, Any]:
    """The value so that == is "the same setting": true is not 1, and a model has more than one spelling."""
    if name == "embed.model" and value in PACKAGED_NAMES:
        value = PACKAGED_NAMES[0]
    elif name == "embed.model" and isinstance(value, str) and Path(value).is_dir():
        value = os.path.abspath(value)  # noqa: PTH100  as params.yaml has it: links stay as the user wrote them
    elif name == "semantic.protect" and isinstance(value, list):
        value = sorted(value, key=str)
    return isinstance(value, bool), value
