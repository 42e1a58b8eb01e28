"""A single file on a web server, which gives files as a whole or, as some do, in parts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from entropyguard.core.errors import InputError
from entropyguard.core.ingest.inputs import find_sources
from tests.ingest.test_every_source import SOURCES
from tests.ingest.test_ingest import read


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  the name that the library gave it
        pass


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server of the test's folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_on_a_web_server(tmp_path: Path, url: str) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(SOURCES["a.ndjson.gz"]())
    got = read(f"{url}/a.jsonl.gz?token=secret")
    assert got.records == read(tmp_path / "a.jsonl.gz").records
    assert str(find_sources(f"{url}/a.jsonl.gz?token=secret")[0]) == f"{url}/a.jsonl.gz"


def test_what_is_not_there(url: str) -> None:
    with pytest.raises(InputError, match=f"{url}/none.jsonl is missing"):
        find_sources(f"{url}/none.jsonl?token=secret")


def test_a_server_that_gives_no_parts_is_named_with_the_cure(tmp_path: Path, url: str) -> None:
    texts = [f"{at} {at * 7919 % 1000003}" for at in range(300_000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", compression="none", use_dictionary=False)
    with pytest.raises(InputError, match=r"gives files as a whole only\. Download it"):
        read(f"{url}/a.parquet")
