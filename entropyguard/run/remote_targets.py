"""Results at a URL, as `s3://bucket/key`: which object that is, whether it can be written, and putting it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.core.errors import OutputError, UsageError
from entropyguard.core.storage.remote import is_url, remote_errors
from entropyguard.core.storage.upload import Uploads, try_upload, upload

_SIGNS = "*?["
_SAME = {"s3a": "s3", "s3n": "s3"}
_NOT_WRITTEN = {"http", "https", "file", "local"}


def object_parts(url: str) -> list[str]:
    """The scheme, the bucket and the parts of the key; equal for two spellings of one object."""
    scheme, _, place = url.partition("://")
    return [_SAME.get(scheme.lower(), scheme.lower()), *place.split("/")]


def would_be_listed(url: str, spec: str) -> bool:
    """Whether an object would be part of an input that is a folder or a pattern of objects."""
    from entropyguard.core.ingest.path_patterns import fits

    if not is_url(url) or not is_url(spec):
        return False
    parts, wanted = object_parts(url), object_parts(spec.rstrip("/"))
    if any(sign in spec for sign in _SIGNS):
        return fits(parts, wanted)
    return len(parts) > len(wanted) and parts[: len(wanted)] == wanted


def check_remote(flag: str, url: str) -> None:
    """UsageError for what is no object's URL, OutputError where the object may not be written; nothing is left there.

    What can be known now is that the bucket is there and takes an upload with this key; not that it has room.
    """
    scheme, bucket, *key = object_parts(url)
    if scheme in _NOT_WRITTEN:
        raise UsageError(f"{flag} {url}: nothing can be written to {scheme}://. Name a file, or s3://bucket/key.")
    if url.endswith("/") and "".join(key):
        raise UsageError(
            f"{flag} {url}: a folder of several objects cannot be put there whole or not at all. "
            "Name an object, as data.arrow or data.parquet, or a folder on this machine."
        )
    if not bucket or not "".join(key):
        raise UsageError(f"{flag} {url} names no object. Name one: {scheme}://bucket/key.")
    with _named(flag, url, ""):
        try_upload(url)


def put(local: Path, flag: str, url: str, uploads: Uploads | None) -> None:
    """Put a file's content at the URL, whole or not at all. OutputError names the flag, and what to do.

    uploads: those of a run, which --resume goes on from.
    """
    resume = "" if uploads is None else "; --resume publishes without computing again"
    with _named(flag, url, f" What was there before stays{resume}."):
        upload(local, url, uploads)


@contextmanager
def _named(flag: str, url: str, then: str) -> Iterator[None]:
    try:
        with remote_errors(url, OutputError):
            yield
    except OutputError as error:
        raise OutputError(f"{flag} {error}{then}") from error
