"""An upload that breaks in the middle: no object, no parts for ever, and a resume that only publishes."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from entropyguard.core.errors import OutputError
from entropyguard.core.storage.upload import Uploads
from entropyguard.project.checkpoint_dir import owned
from entropyguard.project.project import Project
from entropyguard.run.publish import publish
from tests.conftest import TEXTS, Workspace
from tests.s3.conftest import Bucket
from tests.s3.proxy import proxy_to
from tests.s3.server import READER, Identity

_SECOND_PART = rb"^PUT .*partNumber=2\b"
_COMPLETE = rb"^POST .*uploadId="
_KEY = "cleaned.jsonl"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Workspace:
    """A finished run whose output takes three parts."""
    made = Workspace(tmp_path_factory.mktemp("finished"), model)
    wide = "0123456789abcdef" * (6 << 16)
    lines = [json.dumps({"id": at, "text": text, "wide": wide}) + "\n" for at, text in enumerate(TEXTS)]
    made.input.write_text("".join(lines))
    ended = made.run()
    assert ended.code == 0, ended.stderr
    assert made.output.stat().st_size > 2 * (16 << 20)
    return made


@pytest.fixture
def workspace(finished: Workspace, bucket: Bucket) -> Iterator[Workspace]:
    """The finished run, to be published in the bucket."""
    finished.environment = {**bucket.variables(), "AWS_MAX_ATTEMPTS": "2"}
    yield finished
    finished.environment = {}


def test_a_large_output_goes_up_in_parts_and_is_whole(workspace: Workspace, bucket: Bucket) -> None:
    with proxy_to(bucket.address.endpoint) as proxy:
        workspace.environment |= bucket.variables(endpoint=proxy.endpoint)
        ended = workspace.run("--resume", output=bucket.url(_KEY))
    assert (ended.code, ended.ran) == (0, []), ended.stderr
    assert any(re.search(_SECOND_PART, request) for request in proxy.requests)
    _is_published(workspace, bucket)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_run_that_dies_in_the_middle_of_an_upload_leaves_no_object(
    workspace: Workspace, bucket: Bucket, signum: signal.Signals, code: int
) -> None:
    with proxy_to(bucket.address.endpoint, hold=_SECOND_PART) as proxy:
        workspace.environment |= bucket.variables(endpoint=proxy.endpoint)
        flags: list[str | Path] = ["--input", workspace.input, "--output", bucket.url(_KEY), "--resume"]
        flags += ["--checkpoint-dir", workspace.checkpoints, "--model-name", workspace.model]
        run = subprocess.Popen(
            workspace.command(*flags), cwd=workspace.folder, env=workspace.env(), stderr=subprocess.DEVNULL
        )
        _wait_for_a_part(bucket, run)
        run.send_signal(signum)
        assert run.wait(timeout=60) == code
    assert bucket.keys() == []
    # One that was killed could not clean up; the others have.
    assert bucket.uploads() == ([_KEY] if signum == signal.SIGKILL else [])
    _is_published_by_a_resume(workspace, bucket)


def test_a_connection_that_breaks_once_is_tried_again(workspace: Workspace, bucket: Bucket) -> None:
    with proxy_to(bucket.address.endpoint, cut=_SECOND_PART, once=True) as proxy:
        workspace.environment |= bucket.variables(endpoint=proxy.endpoint)
        ended = workspace.run("--resume", output=bucket.url(_KEY))
    assert ended.code == 0, ended.stderr
    _is_published(workspace, bucket)


def test_an_answer_that_is_lost_is_no_failure(workspace: Workspace, bucket: Bucket) -> None:
    with proxy_to(bucket.address.endpoint, lose_answer=_COMPLETE, once=True) as proxy:
        workspace.environment |= bucket.variables(endpoint=proxy.endpoint)
        ended = workspace.run("--resume", output=bucket.url(_KEY))
    assert ended.code == 0, ended.stderr
    _is_published(workspace, bucket)


def test_a_network_that_stays_down_ends_the_run_and_a_resume_publishes(workspace: Workspace, bucket: Bucket) -> None:
    bucket.write(_KEY, b"of last week\n")
    with proxy_to(bucket.address.endpoint, cut=_SECOND_PART) as proxy:
        workspace.environment |= bucket.variables(endpoint=proxy.endpoint)
        ended = workspace.run("--resume", output=bucket.url(_KEY))
    assert ended.code == 66
    [line] = ended.stderr.splitlines()
    assert re.match(f"entropyguard: --output {bucket.url(_KEY)}: the (connection broke off|server cannot be)", line)
    assert line.endswith("What was there before stays; --resume publishes without computing again.")
    assert bucket.read(_KEY) == b"of last week\n"
    _is_published_by_a_resume(workspace, bucket)


def _wait_for_a_part(bucket: Bucket, run: subprocess.Popen[bytes]) -> None:
    """Until the server has a part of an upload."""
    client = bucket.client
    while run.poll() is None:
        for upload in client.call_s3("list_multipart_uploads", Bucket=bucket.name).get("Uploads", []):
            place = {"Bucket": bucket.name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            with contextlib.suppress(FileNotFoundError):  # the one that only tried the bucket is aborted again
                if client.call_s3("list_parts", **place).get("Parts"):
                    return
        time.sleep(0.05)
    raise AssertionError(f"the run ended with {run.returncode} before it had uploaded a part")


def _is_published_by_a_resume(workspace: Workspace, bucket: Bucket) -> None:
    workspace.environment |= bucket.variables()
    ended = workspace.run("--resume", output=bucket.url(_KEY))
    assert (ended.code, ended.ran) == (0, []), ended.stderr
    _is_published(workspace, bucket)


def _is_published(workspace: Workspace, bucket: Bucket) -> None:
    assert bucket.read(_KEY) == workspace.output.read_bytes()
    assert bucket.keys() == [_KEY]
    assert bucket.uploads() == []
    assert not (workspace.checkpoints / ".entropyguard" / "uploads").exists()


def test_clean_aborts_what_a_killed_run_had_under_way(bucket: Bucket, tmp_path: Path) -> None:
    project = Project(tmp_path / "checkpoints")
    begun = bucket.client.call_s3("create_multipart_upload", Bucket=bucket.name, Key=_KEY)
    with owned(project):
        Uploads(project.paths.uploads).add(begun["UploadId"], bucket.url(_KEY))
    assert bucket.uploads() == [_KEY]
    workspace = Workspace(tmp_path, tmp_path, environment=bucket.variables())
    assert workspace.call("clean", "--checkpoint-dir", project.root).code == 0
    assert bucket.uploads() == []
    assert not project.root.exists()


@pytest.mark.parametrize("megabytes", [1, 33])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no bucket", "there is no such bucket"),
        ("denied", "access is denied"),
        ("full", "too busy"),
    ],
)
def test_what_goes_wrong_while_publishing_is_one_line(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, said: str, megabytes: int
) -> None:
    built = tmp_path / "built.jsonl"
    built.write_bytes(b"x" * (megabytes << 20))
    who = READER if fault == "denied" else None
    _use(monkeypatch, bucket, who)
    if fault == "full":
        _make_full(bucket)
    url = f"s3://{'no-such-bucket' if fault == 'no bucket' else bucket.name}/{_KEY}"
    with pytest.raises(OutputError, match=said) as failure:
        publish(built, url, uploads=Uploads(tmp_path / "uploads"))
    assert len(str(failure.value).splitlines()) == 1
    assert str(failure.value).startswith(f"--output {url}: ")
    assert str(failure.value).endswith("What was there before stays; --resume publishes without computing again.")
    assert Uploads(tmp_path / "uploads").noted() == {}
    assert bucket.keys() == []
    assert bucket.uploads() == []


def _use(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, who: Identity | None) -> None:
    """Let this process talk to the server, as that user."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    for name, value in {**(bucket.variables(who) if who else bucket.variables()), "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)


def _make_full(bucket: Bucket) -> None:
    """Let the server refuse to write to the bucket, as it does when a quota is used up."""
    weed = Path(sys.executable).with_name("weed")
    command = f"fs.configure -locationPrefix=/buckets/{bucket.name}/ -readOnly -apply\n"
    subprocess.run([weed, "shell", f"-master={bucket.address.master}"], input=command.encode(), check=True)
