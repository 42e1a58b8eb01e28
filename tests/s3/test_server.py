"""The server of these tests is what it is taken for: it stores, it refuses, and it ends with its last user."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.s3.conftest import Bucket, filesystem
from tests.s3.server import READER, Address


def test_what_is_written_is_read(bucket: Bucket) -> None:
    bucket.write("a/b.txt", b"content")
    assert bucket.keys() == ["a/b.txt"]
    assert bucket.read("a/b.txt") == b"content"
    assert bucket.uploads() == []


def test_a_reader_may_not_write(bucket: Bucket, server: Address) -> None:
    bucket.write("a.txt", b"content")
    reader = filesystem(server, READER)
    assert reader.cat_file(f"{bucket.name}/a.txt") == b"content"
    with pytest.raises(PermissionError):
        reader.pipe_file(f"{bucket.name}/a.txt", b"other")


def test_the_server_ends_with_a_user_that_was_killed(tmp_path: Path) -> None:
    holds = "import sys, time; from pathlib import Path; from tests.s3.server import shared_server\n"
    holds += "with shared_server(Path(sys.argv[1])): print('up', flush=True); time.sleep(600)"
    user = subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path)], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )
    assert user.stdout is not None
    assert user.stdout.readline() == b"up\n"
    serving = _processes(str(tmp_path / "data"))
    assert len(serving) == 1
    user.kill()
    user.wait()
    user.stdout.close()
    deadline = time.monotonic() + 30
    while _processes(str(tmp_path / "data")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes(str(tmp_path / "data")) == []
    assert not (tmp_path / "address.json").exists()


def _processes(argument: str) -> list[int]:
    """The processes that have such a part in their command line, but for this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if argument.encode() in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
