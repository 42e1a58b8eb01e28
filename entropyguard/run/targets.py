"""Where a result may be written: decided here for every flag that names a file, before anything runs.

Never onto the input, onto another result of the same run, or onto a project's own file. Files are compared by what
they are, not by how they are spelled: a link, a hard link and `..` lead to the same file. Objects at a URL are told
apart by the URL (`remote_targets`).
"""

from __future__ import annotations

import fcntl
import os
import stat
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from entropyguard.core.errors import OutputError, UsageError
from entropyguard.core.ingest.endings import source_of
from entropyguard.core.ingest.path_patterns import fits
from entropyguard.core.storage.remote import is_url
from entropyguard.project.ownership import owner
from entropyguard.run.remote_targets import check_remote, object_parts, would_be_listed
from entropyguard.run.saved_dataset import DATA_FILE, check_folder, is_folder
from entropyguard.run.streams import STDOUT, descriptor_of, is_stream


@dataclass(frozen=True)
class Target:
    """A file or folder that a flag names, as it was typed; `-` is stdout."""

    flag: str
    path: str

    @property
    def is_folder(self) -> bool:
        """Whether the result is a folder, as only the cleaned data can be."""
        return self.flag == "--output" and is_folder(self.path)

    def __str__(self) -> str:
        return f"{self.flag} {self.path}"


def targets(**paths: str | Path | None) -> list[Target]:
    """The targets of the flags that were given, e.g. `targets(output="a.jsonl", audit_log=None)`."""
    return [Target(f"--{name.replace('_', '-')}", str(path)) for name, path in paths.items() if path is not None]


def check_targets(wanted: Sequence[Target]) -> None:
    """UsageError for two that are one file, or one in a project; OutputError for one that cannot be written."""
    _refuse_shared(wanted)
    for target in wanted:
        if is_url(target.path):
            check_remote(target.flag, target.path)
            continue
        root = None if is_stream(target.path) else owner(Path(os.path.realpath(target.path)))
        if root is not None:
            raise UsageError(f"{target} is a file of the entropyguard project in {root}. Name a file elsewhere.")
        if target.is_folder:
            check_folder(Path(os.path.realpath(target.path)), str(target))
        else:
            _check_writable(target)


def check_input(wanted: Sequence[Target], spec: str, files: Iterable[Path | str]) -> None:
    """UsageError for a target that is an input file, or that the next run on `spec` would read as one."""
    files = list(files)
    sources = {key for path in files for key in file_keys(path)}
    for target in wanted:
        if not sources.isdisjoint(file_keys(target.path)):
            raise UsageError(f"{target} is a file of --input {spec} and would be overwritten. Name a file elsewhere.")
        if not is_stream(target.path) and would_be_read(target.path, spec) and not _are_notes(target, files):
            raise UsageError(
                f"{target} would be read as part of --input {spec} by the next run. Name a file elsewhere."
            )


def _are_notes(target: Target, files: Sequence[Path | str]) -> bool:
    """Whether a `.json` would be passed over: beside other data, or as the one object that --json writes."""
    kinds = {source.kind for path in files if (source := source_of(Path(path)))}
    return Path(target.path).suffix.lower() == ".json" and (target.flag == "--json" or kinds != {"json"})


def would_be_read(path: str, spec: str) -> bool:
    """Whether a file of that name would be part of the input, as one in its folder or a match of its glob."""
    if is_folder(path):
        path += DATA_FILE
    if source_of(Path(path)) is None:
        return False
    if is_url(path) or is_url(spec):
        return would_be_listed(path, spec)
    return _lies_in(path, spec) or _matches(path, spec)


def lies_inside(path: Path, folder: Path) -> bool:
    """Whether a path really lies in a folder, be it there or not; links are followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def file_keys(path: str | Path) -> set[Hashable]:
    """What tells whether two paths are one file: they have a key in common. None for what takes any number: /dev/null.

    Of a file that is there the kernel's own number, else where it would come to lie; of an object its URL.
    """
    if is_url(str(path)):
        return {tuple(object_parts(str(path)))}
    descriptor = descriptor_of(path)
    try:
        state = os.stat(path) if descriptor is None else os.fstat(descriptor)  # noqa: PTH116  its errors are wanted
    except FileNotFoundError:
        folder, name = os.path.split(os.path.realpath(path))
        if _ignores_case(folder):
            name = unicodedata.normalize("NFC", name).casefold()
        return {(_number(folder), name)}
    except OSError:  # it is told where the path is checked
        return {os.path.realpath(path)}
    if stat.S_ISCHR(state.st_mode) and state.st_rdev == os.stat(os.devnull).st_rdev:  # noqa: PTH116
        return set()
    keys: set[Hashable] = set() if descriptor is None else {descriptor}
    # Two descriptors may lead to one terminal or pipe, as after 2>&1; to one file they would overwrite each other.
    if descriptor is None or stat.S_ISREG(state.st_mode):
        keys.add((state.st_dev, state.st_ino))
    return keys


def _refuse_shared(wanted: Sequence[Target]) -> None:
    known: dict[Hashable, Target] = {}
    for target in wanted:
        for key in file_keys(target.path):
            other = known.setdefault(key, target)
            if other is target:
                continue
            if other.path == target.path == STDOUT:
                raise UsageError(f"{target} and {other} would mix on stdout. Give one of them a file.")
            raise UsageError(f"{target} and {other} are the same file. Name another one for one of them.")


def _check_writable(target: Target) -> None:
    """OutputError when it could not be written: no such folder, a folder itself, or read-only."""
    descriptor = descriptor_of(target.path)
    try:
        if descriptor is not None:
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise OutputError(f"{target} is open for reading only. Name a file.")
            return
        _check_place(target, Path(os.path.realpath(target.path)))
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror}). Name another file.") from error


def _check_place(target: Target, real: Path) -> None:
    there = os.path.lexists(real) and real.stat() is not None
    if real.is_dir():
        raise OutputError(f"{target} is a folder. Name a file in it.")
    shown = Path(target.path).parent if not Path(target.path).is_symlink() else real.parent
    if not real.parent.is_dir():
        raise OutputError(f"{target}: the folder {shown} does not exist. Make it first.")
    writable = os.access(real if is_stream(real) else real.parent, os.W_OK)
    if not writable or (there and not os.access(real, os.W_OK)):
        raise OutputError(f"{target} cannot be written: {shown} or the file is read-only.")


def _lies_in(path: str, spec: str) -> bool:
    return Path(spec).is_dir() and lies_inside(Path(path), Path(spec))


def _matches(path: str, spec: str) -> bool:
    """Whether a glob would find the path: as it was typed, and as it really lies."""
    if os.path.exists(spec):  # noqa: PTH110  a pattern may be too long to be a name
        return False
    at = next((at for at, part in enumerate(spec.split("/")) if any(sign in part for sign in "*?[")), None)
    if at is None:
        return False
    parts = spec.split("/")
    base, rest = "/".join(parts[:at]) or ("/" if spec.startswith("/") else "."), parts[at:]
    for folder, name in (
        (os.path.realpath(base), os.path.realpath(path)),
        (os.path.abspath(base), os.path.abspath(path)),  # noqa: PTH100
    ):
        if name.startswith(folder.rstrip("/") + "/") and fits(name[len(folder.rstrip("/")) + 1 :].split("/"), rest):
            return True
    return False


def _number(folder: str) -> Hashable:
    try:
        state = os.stat(folder)  # noqa: PTH116
    except OSError:
        return folder
    return (state.st_dev, state.st_ino)


def _ignores_case(folder: str) -> bool:
    """Whether `a` and `A` are one file in a folder, told by a name that is there: its own, or of something in it."""
    try:
        known = [os.path.join(folder, name) for name in os.listdir(folder)[:100]]  # noqa: PTH118, PTH208
    except OSError:
        return False
    for path in [*known, folder]:
        parent, name = os.path.split(path)
        other = os.path.join(parent, name.swapcase())  # noqa: PTH118
        if name != name.swapcase():
            try:
                return os.path.samefile(path, other)  # noqa: PTH121
            except OSError:
                return False
    return False
