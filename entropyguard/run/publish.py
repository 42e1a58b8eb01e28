"""Putting a result where the user asked for it: whole or not at all; the old file stays until then."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.core.errors import OutputError, UsageError
from entropyguard.core.params import OUTPUT_FORMATS
from entropyguard.core.storage.files import FileState, read_json, sync_file, write_json
from entropyguard.core.storage.remote import is_url
from entropyguard.core.storage.temporary import remove_abandoned, temporary_file
from entropyguard.core.storage.upload import Uploads, object_state
from entropyguard.project.project import Project
from entropyguard.run.remote_targets import put
from entropyguard.run.saved_dataset import is_folder, publish_folder
from entropyguard.run.streams import is_stream, open_stream

_CHUNK = 64 << 20

OUTPUT_ENDINGS = {
    **{f".{name}": name for name in OUTPUT_FORMATS},
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl.gz",
    ".ndjson.zst": "jsonl.zst",
    ".feather": "arrow",
}


def output_format(output: str) -> str:
    """The format an output's ending asks for; stdout, pipes and devices without one take JSONL.

    A folder, which ends with a slash, is made of an Arrow stream.
    """
    if is_folder(output):
        return "arrows"
    name = Path(output).name.lower()
    for ending in sorted(OUTPUT_ENDINGS, key=len, reverse=True):
        if name.endswith(ending):
            return OUTPUT_ENDINGS[ending]
    if is_stream(output):
        return "jsonl"
    raise UsageError(
        f"--output {output}: the ending tells the format; known are {', '.join(OUTPUT_ENDINGS)}, "
        "and a slash for a folder that Hugging Face's `load_from_disk` reads."
    )


@contextmanager
def whole_file(path: str | Path, flag: str, uploads: Uploads | None = None) -> Iterator[Path]:
    """Yields a temporary file to write to; a clean exit puts it in the place of `path`, synced.

    A link is followed, an existing file's mode is kept, and a stream gets the bytes instead of being replaced.
    What is to lie at a URL is uploaded then; a run notes in `uploads` what is under way. OutputError names the flag
    when it cannot be written.
    """
    try:
        if is_stream(path) or is_url(str(path)):
            with tempfile.TemporaryDirectory(prefix="entropyguard-") as folder:
                yield Path(folder) / "result"
                publish(Path(folder) / "result", str(path), flag, uploads)
            return
        target = Path(os.path.realpath(path))
        remove_abandoned(target.parent)
        with temporary_file(target.parent, private=target.exists()) as temporary:
            yield temporary
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            sync_file(temporary)
            temporary.replace(target)
    except OSError as error:
        raise OutputError(
            f"{flag} {path} could not be written ({error.strerror}); what was there before stays."
        ) from error


def publish(built: Path, output: str, flag: str = "--output", uploads: Uploads | None = None) -> None:
    """Copy a built file to where the user asked: a path, a URL, a pipe, a device, `-` for stdout, or into a folder."""
    if is_url(output):
        put(built, flag, output, uploads)
    elif is_folder(output):
        publish_folder(built, output, flag)
    elif is_stream(output):
        with built.open("rb") as source, open_stream(output, flag) as stream:
            shutil.copyfileobj(source, stream, _CHUNK)
    else:
        with whole_file(output, flag) as temporary:
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
        publish(project.root / built, output, uploads=Uploads(project.paths.uploads))
        seen = None if digest is None else _seen(output, digest)
        if seen is not None:
            write_json(note, seen)


def _seen(output: str, digest: str) -> dict[str, object] | None:
    """What tells a published file from any other; None where there is no plain file, or object that can be told."""
    if is_url(output):
        state = object_state(output)
        return None if state is None else {"output": output, "digest": digest, "state": state}
    path = Path(output)
    if is_stream(output) or not path.is_file():
        return None
    return {"output": os.path.abspath(path), "digest": digest, "state": FileState.of(path).as_dict()}  # noqa: PTH100


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
                raise OSError(errno.EIO, f"{source} ended {left:,} bytes too early")
            left -= copied
