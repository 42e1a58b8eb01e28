"""Putting a result where the user asked for it: whole or not at all; the old file stays until then."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.core.errors import OutputError, UsageError
from entropyguard.core.storage.files import FileState, read_json, sync_file, write_json
from entropyguard.project.project import Project

STDOUT = "-"
_CHUNK = 64 << 20

OUTPUT_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".ndjson.gz": "jsonl.gz",
    ".jsonl.zst": "jsonl.zst",
    ".ndjson.zst": "jsonl.zst",
    ".csv": "csv",
    ".parquet": "parquet",
}


def output_format(output: str) -> str:
    """The format an output's ending asks for; stdout and devices take JSONL."""
    if output == STDOUT or _is_stream(Path(output)):
        return "jsonl"
    name = Path(output).name.lower()
    for ending in sorted(OUTPUT_ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return OUTPUT_ENDINGS[ending]
    raise UsageError(f"--output {output}: the ending tells the format; known are {', '.join(OUTPUT_ENDINGS)}.")


def check_writable(path: Path, flag: str) -> None:
    """OutputError when `publish` could not write there: no such folder, a folder itself, or read-only."""
    target = _target(path)
    if target.is_dir():
        raise OutputError(f"{flag} {path} is a folder. Name a file in it.")
    if not target.parent.is_dir():
        raise OutputError(f"{flag} {path}: the folder {target.parent} does not exist. Make it first.")
    writable = os.access(target if _is_stream(target) else target.parent, os.W_OK)
    if not writable or (target.exists() and not os.access(target, os.W_OK)):
        raise OutputError(f"{flag} {path} cannot be written: {target.parent} or the file is read-only.")


@contextmanager
def whole_file(path: Path, flag: str) -> Iterator[Path]:
    """Yields a temporary file beside `path` to write to; a clean exit syncs it and renames it to `path`.

    A link is followed, an existing file's mode is kept. OutputError names the flag when it cannot be written.
    """
    target = _target(path)
    temporary = target.with_name(f".entropyguard-{os.getpid()}.tmp")
    _remove_stale(target.parent)
    try:
        yield temporary
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        temporary.chmod(mode)
        sync_file(temporary)
        temporary.replace(target)
    except OSError as error:
        raise OutputError(
            f"{flag} {path} could not be written ({error.strerror}); what was there before stays."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _remove_stale(folder: Path) -> None:
    """Remove the temporary files of runs that were killed while they published."""
    for stale in folder.glob(".entropyguard-*.tmp"):
        pid = stale.stem.rpartition("-")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            stale.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def publish(built: Path, output: str, flag: str = "--output") -> None:
    """Copy a built file to where the user asked: a path, a device, or `-` for stdout."""
    if output == STDOUT:
        _to_stdout(built)
    elif _is_stream(Path(output)):
        with built.open("rb") as source, Path(output).open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
    else:
        with whole_file(Path(output), flag) as temporary:
            _copy(built, temporary)


def publish_once(project: Project, built: str, output: str) -> None:
    """Publish an output of the project, unless `output` is what was published from the same bytes, untouched since.

    So a run with nothing to do does not copy gigabytes that are there already.
    """
    record, note = project.record_of(built), project.paths.published
    digest = None if record is None else record.outputs[built].digest
    known = read_json(note)
    if digest is None or known is None or known != _seen(output, digest):
        note.unlink(missing_ok=True)
        publish(project.root / built, output)
        seen = None if digest is None else _seen(output, digest)
        if seen is not None:
            write_json(note, seen)


def _seen(output: str, digest: str) -> dict[str, object] | None:
    """What tells a published file from any other; None where there is no plain file."""
    path = Path(output)
    if output == STDOUT or not path.is_file():
        return None
    return {"output": os.path.abspath(path), "digest": digest, "state": FileState.of(path).as_dict()}  # noqa: PTH100


def _to_stdout(built: Path) -> None:
    try:
        with built.open("rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer, _CHUNK)
            sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        # Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError("stdout was closed before all rows were written; the checkpoints are complete.") from error
    except OSError as error:
        raise OutputError(f"stdout could not be written ({error.strerror}).") from error


def _copy(source: Path, target: Path) -> None:
    """Copy bytes inside the kernel where it can, so that a filesystem with reflinks shares them."""
    with source.open("rb") as reader, target.open("wb") as writer:
        left = source.stat().st_size
        while left:
            try:
                copied = os.copy_file_range(reader.fileno(), writer.fileno(), min(left, 1 << 30))
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
                shutil.copyfileobj(reader, writer, _CHUNK)
                return
            if copied == 0:
                return
            left -= copied


def _target(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def _is_stream(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
