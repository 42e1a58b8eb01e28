"""URLs: what is one, whose filesystem it is, and what its errors mean."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from entropyguard.core.errors import InputError, OutputError, UsageError
from entropyguard.core.storage.remote import filesystem, is_url, remote_errors, shown


@pytest.mark.parametrize("spec", ["s3://bucket/key", "https://host/a.jsonl", "memory://a", "S3://Bucket/*.jsonl"])
def test_urls(spec: str) -> None:
    assert is_url(spec)


@pytest.mark.parametrize("spec", ["-", "data.jsonl", "/a/b", "C:\\data", "c://data", "a:b", "s3:/a", "./s3://a", ""])
def test_paths(spec: str) -> None:
    assert not is_url(spec)


def test_a_url_is_shown_without_what_is_secret() -> None:
    assert shown("https://me:secret@host/a.jsonl?X-Amz-Signature=abc#x") == "https://host/a.jsonl"
    assert shown("sftp://me:secret@host/a?b.jsonl") == "sftp://host/a?b.jsonl"
    assert shown("s3://bucket/a?b#c@d") == "s3://bucket/a?b#c@d"


def test_a_filesystem_and_the_path_in_it() -> None:
    fs, path = filesystem("memory://a/b.jsonl")
    assert (fs.protocol, path) == ("memory", "/a/b.jsonl")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gs://bucket/a", "gs:// needs a package that is not installed: Please install gcsfs"),
        ("nonesuch://a", "Protocol not known: nonesuch. Name a path, or a URL such as s3://bucket/key"),
    ],
)
def test_a_scheme_without_a_filesystem(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        filesystem(url)


def test_s3_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    filesystem("memory://a")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(UsageError, match=r'pip install "entropyguard\[s3\]"'):
        filesystem("s3://bucket/key")


class ClientError(Exception):
    """As botocore's: what the server said stands in `response`."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code}): secret")
        self.response = {"Error": {"Code": code}}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("a"), "is missing. Check the URL"),
        (PermissionError("a"), "access is denied"),
        (TimeoutError(), "broke off"),
        (ConnectionResetError(), "broke off"),
        (OSError(errno.ENOSPC, "full"), "no room left"),
        (OSError(errno.EIO, "odd\nmore"), r"odd. Check the storage"),
        (ClientError("NoSuchBucket"), "there is no such bucket"),
        (ClientError("SignatureDoesNotMatch"), "does not accept these keys"),
        (ClientError("PreconditionFailed"), "was replaced"),
        (ClientError("QuotaExceeded"), "a quota is used up"),
        (ClientError("SlowDown"), "too busy"),
        (ClientError("PermanentRedirect"), "another region. Set AWS_REGION"),
    ],
)
def test_what_a_filesystem_raises_becomes_one_line(error: Exception, said: str) -> None:
    raised = error
    if isinstance(error, ClientError):
        raised = OSError(errno.EINVAL, "wrapped")
        raised.__cause__ = error
    with pytest.raises(OutputError, match=said) as caught, remote_errors("s3://bucket/key", OutputError):
        raise raised
    assert str(caught.value).startswith("s3://bucket/key")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_is_no_error_of_the_filesystem_stays_as_it_is() -> None:
    with pytest.raises(KeyError), remote_errors("s3://bucket/key", InputError):
        raise KeyError("bug")
    with pytest.raises(UsageError), remote_errors("s3://bucket/key", InputError):
        raise UsageError("ours")


def test_nothing_of_fsspec_is_loaded_for_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    code = (
        "import sys\n"
        "from entropyguard.core.progress import silent\n"
        "from entropyguard.core.ingest.ingest import ingest\n"
        "from entropyguard.run.build import input_of, Request, params_of\n"
        "from pathlib import Path\n"
        "request = Request('a.jsonl', 'out.jsonl', no_semantic=True)\n"
        "sources = input_of(request).sources\n"
        "ingest(sources, Path('out'), Path('rejected'), params_of(request, sources).ingest, silent)\n"
        "loaded = {name.split('.')[0] for name in sys.modules} & {'fsspec', 's3fs', 'aiohttp', 'botocore'}\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
