"""Where `init` may write: nothing of the user's is replaced, not by `init` and not by the stages that run later."""

from __future__ import annotations

import os
import re
from pathlib import Path

from entropyguard.core.errors import UsageError
from entropyguard.project.own_names import DEFINED, RESULTS
from entropyguard.project.project import Project, refuse_url

_RESULT = re.compile("|".join(RESULTS))
_OWN = re.compile("|".join([*DEFINED, *RESULTS, r"\.gitignore"]))


def check_places(project: Project, given_input: str | None) -> None:
    """UsageError for an input that the pipeline would write, and for files of the user's in its results' places."""
    if given_input is not None:
        refuse_url(given_input)
        source = Path(os.path.realpath(project.root / given_input))
        own = [path for path in _files_of(project.root, _OWN) if _is_in(path, source)]
        if source == Path(os.path.realpath(project.root)) or own or _is_own(project.root, source):
            raise UsageError(
                f"--input {given_input} is, or holds, a file that the pipeline writes. Give the data another place."
            )
    if not project.paths.definition.is_file():
        found = _files_of(project.root, _RESULT)
        if found:
            raise UsageError(
                f"{found[0]} is there already, and the pipeline would write onto it; nothing was written. "
                "Move it, or run `entropyguard init` in a subfolder."
            )


def check_no_link(repo: Path, path: Path) -> None:
    """UsageError for a file of the repo that is a link, or lies behind one: what it leads to is not written."""
    link = next((one for one in [path, *path.parents] if one.is_relative_to(repo) and one.is_symlink()), None)
    if link is not None and link != repo:
        raise UsageError(f"{link} is a link to {link.readlink()}, and would be replaced. Put the file itself there.")


def _files_of(root: Path, names: re.Pattern[str]) -> list[Path]:
    """What lies in the places of our files, wherever they lead."""
    near = [*root.iterdir(), *(path for name in ("dropped", "plots", "stages") for path in (root / name).glob("*"))]
    return [path for path in sorted(near) if names.fullmatch(path.relative_to(root).as_posix())]


def _is_own(root: Path, source: Path) -> bool:
    real = Path(os.path.realpath(root))
    return source.is_relative_to(real) and _OWN.fullmatch(source.relative_to(real).as_posix()) is not None


def _is_in(path: Path, source: Path) -> bool:
    """Whether a file is the source, by whatever name, or lies in it."""
    if path.exists() and source.exists() and path.samefile(source):
        return True
    return Path(os.path.realpath(path)).is_relative_to(source)
