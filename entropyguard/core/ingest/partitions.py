"""Hive partitions: folders called `name=value`, each of which is a column of the rows in all files below it.

Spark, Hive and `pyarrow.dataset` write data sets so, and leave these columns out of the files.
"""

from __future__ import annotations

import dataclasses
from urllib.parse import unquote

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.source import Source

NULL = "__HIVE_DEFAULT_PARTITION__"


def partition_folders(source: Source, below: int) -> list[str]:
    """The folders that stand for columns in the source's path without its first `below` parts.

    Not hidden ones, which a glob can spell but a search passes over.
    """
    return [part for part in source.path.parts[below:-1] if part.find("=") > 0 and not part.startswith(".")]


def partitioned(source: Source, below: int) -> Source:
    """The source with its `partition_folders`; DataFormatError for a name that is no UTF-8, or there twice."""
    folders = partition_folders(source, below)
    for folder in folders:
        try:
            unquote(folder, errors="strict").encode()
        except UnicodeError as error:
            raise DataFormatError(f"{source}: the name of the folder {folder} is no UTF-8. Rename it.") from error
    names = [_name_of(folder) for folder in folders]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataFormatError(f"{source} lies in two folders called {twice}=…. Rename one of them.")
    return dataclasses.replace(source, partitions=tuple(folders))


def partition_values(source: Source) -> dict[str, str | None]:
    """The value that the folders give each partition column, as text."""
    texts = {_name_of(folder): folder.partition("=")[2] for folder in source.partitions}
    return {name: None if text == NULL else unquote(text) for name, text in texts.items()}


def folder_of(source: Source, name: str) -> str:
    """The folder that stands for a column, as it is spelled."""
    return next(folder for folder in source.partitions if _name_of(folder) == name)


def _name_of(folder: str) -> str:
    return unquote(folder.partition("=")[0])
