"""Results in a bucket: whole or not there, nothing left behind, and refused before the work where they cannot be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from entropyguard.core.errors import UsageError
from entropyguard.run.targets import Target, check_input, check_targets, targets
from tests.conftest import TEXTS, Ended, Workspace
from tests.s3.conftest import Bucket
from tests.s3.proxy import proxy_to
from tests.s3.server import READER, WRITER, Identity


@pytest.fixture
def rerun(finished: Workspace, bucket: Bucket) -> Workspace:
    """A finished run, to publish which costs little, and whose commands reach the server."""
    finished.environment |= bucket.variables()
    return finished


def test_every_result_lies_in_the_bucket_as_it_would_in_a_file(rerun: Workspace, bucket: Bucket) -> None:
    audit = rerun.folder / "audit.jsonl"
    there = rerun.run(
        "--resume",
        output=bucket.url("out/cleaned.jsonl"),
        audit_log=bucket.url("out/audit.jsonl"),
        report=bucket.url("out/report.html"),
        json=bucket.url("out/summary.json"),
    )
    assert there.code == 0, there.stderr
    assert rerun.run("--resume", audit_log=audit).ran == there.ran == []
    names = ["out/audit.jsonl", "out/cleaned.jsonl", "out/report.html", "out/summary.json"]
    assert bucket.keys() == names
    assert bucket.read("out/cleaned.jsonl") == rerun.output.read_bytes()
    assert bucket.read("out/audit.jsonl") == audit.read_bytes()
    assert b"<html" in bucket.read("out/report.html")
    assert json.loads(bucket.read("out/summary.json"))["rows"]["in"] == len(TEXTS)
    assert bucket.client.info(f"{bucket.name}/out/report.html")["ContentType"] == "text/html"
    assert bucket.uploads() == []


def test_an_unchanged_output_is_not_uploaded_again(rerun: Workspace, bucket: Bucket) -> None:
    url = bucket.url("cleaned.jsonl")
    with proxy_to(bucket.address.endpoint) as proxy:
        rerun.environment |= bucket.variables(endpoint=proxy.endpoint)
        for uploads in (1, 1):
            assert rerun.run("--resume", output=url).code == 0
            assert sum(request.startswith(b"PUT ") for request in proxy.requests) == uploads
        bucket.write("cleaned.jsonl", b"by somebody else\n")
        assert rerun.run("--resume", output=url).code == 0
    assert bucket.read("cleaned.jsonl") == rerun.output.read_bytes()


def test_what_was_there_stays_when_a_run_fails(rerun: Workspace, bucket: Bucket) -> None:
    bucket.write("cleaned.jsonl", b"of last week\n")
    failed = rerun.run("--resume", output=bucket.url("cleaned.jsonl"), max_loss="0.1")
    assert failed.code == 1
    assert bucket.read("cleaned.jsonl") == b"of last week\n"
    assert bucket.keys() == ["cleaned.jsonl"]
    assert bucket.uploads() == []


def test_a_network_that_goes_down_at_the_end_is_one_line(rerun: Workspace, bucket: Bucket) -> None:
    with proxy_to(bucket.address.endpoint, cut=rb"^PUT .*cleaned") as proxy:
        rerun.environment |= {**bucket.variables(endpoint=proxy.endpoint), "AWS_MAX_ATTEMPTS": "2"}
        ended = rerun.run("--resume", output=bucket.url("cleaned.jsonl"))
    assert ended.code == 66
    [line] = ended.stderr.splitlines()
    assert line.endswith("What was there before stays; --resume publishes without computing again.")
    assert bucket.keys() == []


NOBODY = Identity("nobody", "nothing")
WRONG = Identity(WRITER.key, "wrong")


@pytest.mark.parametrize(
    ("who", "name", "said"),
    [
        (WRITER, "no-such-bucket", "there is no such bucket"),
        (READER, None, "access is denied"),
        (WRONG, None, "the server does not accept these keys"),
        (NOBODY, None, "the server does not accept these keys"),
    ],
)
def test_a_bucket_that_cannot_be_written_is_told_before_the_work(
    workspace: Workspace, bucket: Bucket, who: Identity, name: str | None, said: str
) -> None:
    workspace.environment |= bucket.variables(who)
    url = f"s3://{name or bucket.name}/cleaned.jsonl"
    _is_refused(workspace, workspace.run(output=url), f"--output {url}: {said}")


def test_a_server_that_is_not_there_is_told_before_the_work(workspace: Workspace, bucket: Bucket) -> None:
    workspace.environment |= {**bucket.variables(endpoint="http://127.0.0.1:9"), "AWS_MAX_ATTEMPTS": "1"}
    _is_refused(workspace, workspace.run(output=bucket.url("a.jsonl")), "the server cannot be reached")


def _is_refused(workspace: Workspace, ended: Ended, said: str) -> None:
    assert ended.code == 66
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not workspace.checkpoints.exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket", "names no object"),
        ("s3://bucket/", "names no object"),
        ("s3:///a.jsonl", "names no object"),
        ("s3://bucket/folder/", "a folder of several objects cannot be put there whole"),
        ("https://host/a.jsonl", "nothing can be written to https://"),
        ("file:///tmp/a.jsonl", "nothing can be written to file://"),
        ("nosuch://bucket/a.jsonl", "nosuch"),
    ],
)
def test_what_is_no_object_is_refused(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        check_targets(targets(output=url))


def test_two_results_are_not_one_object() -> None:
    with pytest.raises(UsageError, match="are the same file"):
        check_targets(targets(output="s3://bucket/a.jsonl", audit_log="s3a://bucket/a.jsonl"))


@pytest.mark.parametrize(
    ("output", "spec"),
    [
        ("s3://bucket/in/cleaned.jsonl", "s3://bucket/in/"),
        ("s3://bucket/in/deep/cleaned.jsonl", "s3://bucket/in"),
        ("s3://bucket/in/cleaned.jsonl", "s3://bucket/in/*.jsonl"),
        ("s3a://bucket/in/deep/cleaned.jsonl", "s3://bucket/in/**/*.jsonl"),
    ],
)
def test_a_result_is_not_put_where_the_next_run_would_read_it(output: str, spec: str) -> None:
    with pytest.raises(UsageError, match="would be read as part of --input"):
        check_input([Target("--output", output)], spec, [])


@pytest.mark.parametrize(
    ("output", "spec"),
    [
        ("s3://bucket/out/cleaned.jsonl", "s3://bucket/in/"),
        ("s3://bucket/input.jsonl", "s3://bucket/in"),
        ("s3://other/in/cleaned.jsonl", "s3://bucket/in/*.jsonl"),
        ("s3://bucket/in/cleaned.csv", "s3://bucket/in/*.jsonl"),
        ("s3://bucket/in/cleaned.jsonl", "in"),
        ("in/cleaned.jsonl", "s3://bucket/in"),
    ],
)
def test_a_result_beside_the_input_is_fine(output: str, spec: str, tmp_path: Path) -> None:
    check_input([Target("--output", output)], spec, [tmp_path / "in.jsonl"])
