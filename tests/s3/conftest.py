"""Buckets on a real S3 server, and a workspace whose commands use it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TEXTS, Workspace
from tests.s3.server import READER, REGION, WRITER, Address, Identity, shared_server

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Bucket:
    """A bucket of the server, seen with the rights of its owner."""

    name: str
    address: Address

    def url(self, key: str = "") -> str:
        """What a user would write for an object in it."""
        return f"s3://{self.name}/{key}"

    def variables(self, who: Identity = WRITER, endpoint: str | None = None) -> dict[str, str]:
        """The environment for a command that is to use it; `endpoint`: through something in between."""
        return who.variables(endpoint or self.address.endpoint)

    @property
    def client(self) -> Any:
        """A filesystem (s3fs) that knows nothing of what was read before."""
        return filesystem(self.address)

    def read(self, key: str) -> bytes:
        content: bytes = self.client.cat_file(f"{self.name}/{key}")
        return content

    def write(self, key: str, content: bytes) -> None:
        self.client.pipe_file(f"{self.name}/{key}", content)

    def keys(self) -> list[str]:
        """The keys of all objects."""
        return sorted(path.removeprefix(f"{self.name}/") for path in self.client.find(self.name))

    def uploads(self) -> list[str]:
        """The keys of uploads in parts that were begun, and neither completed nor aborted."""
        answer = self.client.call_s3("list_multipart_uploads", Bucket=self.name)
        return [upload["Key"] for upload in answer.get("Uploads", [])]


def filesystem(address: Address, who: Identity = WRITER) -> Any:
    """A client of the server that shares nothing with others."""
    import s3fs

    return s3fs.S3FileSystem(
        key=who.key,
        secret=who.secret,
        endpoint_url=address.endpoint,
        client_kwargs={"region_name": REGION},
        use_listings_cache=False,
        skip_instance_cache=True,
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The server; one for all workers of a session."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with shared_server(folder / "s3") as address:
        yield address


@pytest.fixture
def bucket(server: Address) -> Iterator[Bucket]:
    """A new, empty bucket."""
    made = Bucket(f"test-{os.getpid()}-{next(_NUMBERS)}", server)
    made.client.mkdir(made.name)
    yield made
    made.client.rm(made.name, recursive=True)


@pytest.fixture
def workspace(tmp_path: Path, model: Path, bucket: Bucket) -> Workspace:
    """A workspace whose input is `TEXTS`, and whose commands reach the server as one who may write."""
    made = Workspace(tmp_path, model, environment=bucket.variables())
    made.write_rows(TEXTS)
    return made


__all__ = ["READER", "WRITER", "Bucket", "filesystem"]
