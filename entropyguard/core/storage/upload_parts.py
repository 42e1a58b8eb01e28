"""A large file on its way to S3: its parts, a few at a time."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

_AT_ONCE = 4


def send_parts(fs: Any, place: dict[str, str], upload_id: str, local: Path, length: int) -> list[dict[str, Any]]:
    """Send a file in parts of `length` bytes; their numbers and ETags, in order. However it ends, no part is under way.

    place: the bucket and the key. Errors are those of the filesystem.
    """
    return _result(asyncio.run_coroutine_threadsafe(_send(fs, place, upload_id, local, length), fs.loop))


async def _send(fs: Any, place: dict[str, str], upload_id: str, local: Path, length: int) -> list[dict[str, Any]]:
    count = -(-local.stat().st_size // length)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def send(number: int) -> dict[str, Any]:
        async with gate:
            body = await asyncio.to_thread(_read, local, (number - 1) * length, length)
            part = {"UploadId": upload_id, "PartNumber": number, "Body": body}
            return {"PartNumber": number, "ETag": (await fs._call_s3("upload_part", **place, **part))["ETag"]}

    try:
        async with asyncio.TaskGroup() as group:  # the first failure ends the others
            tasks = [group.create_task(send(number)) for number in range(1, count + 1)]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _read(local: Path, at: int, length: int) -> bytes:
    with local.open("rb") as file:
        return os.pread(file.fileno(), length, at)


def _result(future: Future[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Wait in steps: polars lets system calls go on after a SIGINT, and Ctrl-C would change nothing."""
    try:
        while not future.done():
            wait([future], timeout=1)
    except BaseException:
        future.cancel()
        raise
    return future.result()
