"""A file as an object at a URL: whole or not there at all; what was there before stays until then.

On S3 a large file goes up in parts, which become the object when all of them have arrived. Parts of an upload that
was not completed are seen by nobody and paid for all the same. So it is aborted when anything fails, and written down
before its first part is sent: what a killed run left behind, the next one aborts.
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from entropyguard.core.storage.files import read_json, write_json
from entropyguard.core.storage.remote import filesystem, trouble_of

_PART_BYTES, _MOST_PARTS, _AT_ONCE = 16 << 20, 10_000, 4
_ONE_REQUEST_BYTES = 2 * _PART_BYTES
_ABORT_SECONDS = 20


class Uploads:
    """Uploads in parts that were begun and not ended, each with its URL and id, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def noted(self) -> dict[str, str]:
        """The URLs by the ids of the uploads."""
        known = read_json(self._path)
        return known if isinstance(known, dict) else {}

    def add(self, upload_id: str, url: str) -> None:
        self._write({**self.noted(), upload_id: url})

    def remove(self, upload_id: str) -> None:
        self._write({known: url for known, url in self.noted().items() if known != upload_id})

    def abort(self) -> None:
        """Abort them all. What cannot be now, as without a network, stays noted for the next time."""
        for upload_id, url in self.noted().items():
            if _aborted(url, upload_id):
                self.remove(upload_id)

    def _write(self, noted: dict[str, str]) -> None:
        if noted:
            write_json(self._path, noted)
        else:
            self._path.unlink(missing_ok=True)


def upload(local: Path, url: str, uploads: Uploads | None) -> None:
    """Put the file's content at the URL. Errors are those of the filesystem (see `remote_errors`).

    uploads: where an upload in parts is noted, if anywhere.
    """
    fs, path = filesystem(url)
    size = local.stat().st_size
    if not _is_s3(fs):
        fs.put_file(str(local), path)
    elif size <= _ONE_REQUEST_BYTES:
        fs.call_s3("put_object", **_place(fs, path), **_content_type(path), Body=local.read_bytes())
    else:
        _upload_in_parts(fs, path, local, size, url, uploads)


def try_upload(url: str) -> None:
    """Raise what the filesystem says to an upload there, as far as it tells without one; nothing is left behind."""
    fs, path = filesystem(url)
    if _is_s3(fs):
        place = _place(fs, path)
        begun = fs.call_s3("create_multipart_upload", **place)
        fs.call_s3("abort_multipart_upload", **place, UploadId=begun["UploadId"])


def object_state(url: str) -> dict[str, Any] | None:
    """What tells the object that is there from any other; None where there is none, or nobody can tell."""
    fs, path = filesystem(url)
    try:
        info = fs.info(path, refresh=True) if _is_s3(fs) else fs.info(path)
    except Exception as error:
        if trouble_of(error) is None:
            raise
        return None
    return {"bytes": info["size"], "etag": info["ETag"]} if info.get("ETag") else None


def _upload_in_parts(fs: Any, path: str, local: Path, size: int, url: str, uploads: Uploads | None) -> None:
    place = _place(fs, path)
    upload_id = fs.call_s3("create_multipart_upload", **place, **_content_type(path))["UploadId"]
    if uploads is not None:
        uploads.add(upload_id, url)
    try:
        parts = _result(asyncio.run_coroutine_threadsafe(_send(fs, place, upload_id, local, size), fs.loop))
        fs.call_s3("complete_multipart_upload", **place, UploadId=upload_id, MultipartUpload={"Parts": parts})
    except BaseException:
        if _aborted(url, upload_id) and uploads is not None:
            uploads.remove(upload_id)
        raise
    if uploads is not None:
        uploads.remove(upload_id)


async def _send(fs: Any, place: dict[str, str], upload_id: str, local: Path, size: int) -> list[dict[str, Any]]:
    """Send the parts, a few at a time; their numbers and ETags, in order."""
    length = max(_PART_BYTES, -(-size // _MOST_PARTS))
    gate = asyncio.Semaphore(_AT_ONCE)

    async def send(number: int) -> dict[str, Any]:
        async with gate:
            body = await asyncio.to_thread(_read, local, (number - 1) * length, length)
            part = {"UploadId": upload_id, "PartNumber": number, "Body": body}
            return {"PartNumber": number, "ETag": (await fs._call_s3("upload_part", **place, **part))["ETag"]}

    try:
        async with asyncio.TaskGroup() as group:  # the first failure ends the others
            tasks = [group.create_task(send(number)) for number in range(1, -(-size // length) + 1)]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _read(local: Path, at: int, length: int) -> bytes:
    with local.open("rb") as file:
        return os.pread(file.fileno(), length, at)


def _result(future: Future[Any]) -> Any:
    """Wait in steps: polars lets system calls go on after a SIGINT, and Ctrl-C would change nothing."""
    try:
        while not future.done():
            wait([future], timeout=1)
    except BaseException:
        future.cancel()
        raise
    return future.result()


def _aborted(url: str, upload_id: str) -> bool:
    """Abort an upload; whether it is gone."""
    from fsspec.asyn import sync

    try:
        fs, path = filesystem(url)
        place = _place(fs, path)
        sync(fs.loop, fs._call_s3, "abort_multipart_upload", **place, UploadId=upload_id, timeout=_ABORT_SECONDS)
    except FileNotFoundError:
        return True
    except Exception:  # noqa: BLE001  whatever it is, the caller keeps its note and has better to say
        return False
    return True


def _is_s3(fs: Any) -> bool:
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def _place(fs: Any, path: str) -> dict[str, str]:
    bucket, key, _ = fs.split_path(path)
    return {"Bucket": bucket, "Key": key}


def _content_type(path: str) -> dict[str, str]:
    """So that a browser shows a report instead of saving it."""
    kind, _ = mimetypes.guess_type(path)
    return {} if kind is None else {"ContentType": kind}
