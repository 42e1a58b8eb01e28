"""What a node of a cluster must have in common with the driver, asked of it before it gets units."""

from __future__ import annotations

import importlib.metadata
import platform
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

import xxhash

_PACKAGES = ("numpy", "polars", "pyarrow", "torch")
_FOLDER = "shared folder"

Facts = Mapping[str, str | None]


@lru_cache(1)
def software() -> dict[str, str | None]:
    """The versions of what decides results; None of what is not installed."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: _version(name) for name in _PACKAGES}, "entropyguard": _own_version()}


def facts_of_node(asked: Mapping[str, Callable[[], str | None]]) -> dict[str, str | None]:
    """What a node says: its software, and what else it is asked; runs there."""
    return {**software(), **{name: ask() for name, ask in asked.items()}}


@contextmanager
def shared_folder(folder: Path) -> Iterator[tuple[str, Callable[[], str | None], str]]:
    """The question whether a node sees a file that lies in the folder as long as this lasts: name, question, answer."""
    content = secrets.token_hex(8)
    token = folder / f"seen-by-all-{content}"
    folder.mkdir(parents=True, exist_ok=True)
    token.write_text(content, encoding="utf-8")
    try:
        yield _FOLDER, partial(_content, token), content
    finally:
        token.unlink(missing_ok=True)


def differences(here: Facts, there: Facts, folder: Path) -> list[str]:
    """In which facts a node differs, in words."""
    return [_difference(name, here[name], there.get(name), folder) for name in here if here[name] != there.get(name)]


def _difference(name: str, here: str | None, there: str | None, folder: Path) -> str:
    if name == _FOLDER:
        return f"it does not see {folder} as it is here, which all nodes have to share under that path"
    return f"its {name} is {there or 'missing'}, here it is {here or 'missing'}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _own_version() -> str:
    """The version of this package with a digest of its modules: of one that is worked on, the version says little."""
    folder = Path(__file__).parents[2]
    digest = xxhash.xxh3_64()
    for module in sorted(folder.rglob("*.py")):
        digest.update(str(module.relative_to(folder)).encode())
        digest.update(module.read_bytes())
    return f"{_version('entropyguard')} ({digest.hexdigest()[:8]})"


def _content(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None
