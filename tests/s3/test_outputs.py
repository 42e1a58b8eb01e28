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
from tests.s3.server import READER, WRITER, Identity


def test_every_result_lies_in_the_bucket_as_it_would_in_a_file(workspace: Workspace, bucket: Bucket) -> None:
    there = workspace.run(
        output=bucket.url("out/cleaned.jsonl"),
        audit_log=bucket.url("out/audit.jsonl"),
        report=bucket.url("out/report.html"),
        json=bucket.url("out/summary.json"),
    )
    assert there.code == 0, there.stderr
    here = workspace.run(
        "--resume", audit_log=workspace.folder / "audit.jsonl", report=workspace.folder / "report.html"
    )
    assert here.ran == []
    names = ["out/audit.jsonl", "out/cleaned.jsonl", "out/report.html", "out/summary.json"]
    assert bucket.keys() == names
    assert bucket.read("out/cleaned.jsonl") == workspace.output.read_bytes()
    assert bucket.read("out/audit.jsonl") == (workspace.folder / "audit.jsonl").read_bytes()
    assert b"<html" in bucket.read("out/report.html")
    assert json.loads(bucket.read("out/summary.json"))["rows"]["in"] == len(TEXTS)
    assert bucket.client.info(f"{bucket.name}/out/report.html")["ContentType"] == "text/html"
    assert bucket.uploads() == []


def test_an_unchanged_output_is_not_uploaded_again(workspace: Workspace, bucket: Bucket) -> None:
    url = bucket.url("cleaned.jsonl")
    assert workspace.run(output=url).code == 0
    workspace.environment |= bucket.variables(READER)  # who may look, and not write
    refused = workspace.run("--resume", output=bucket.url("other.jsonl"))
    assert refused.code == 66
    workspace.environment |= bucket.variables(WRITER)
    first = bucket.client.info(f"{bucket.name}/cleaned.jsonl")["LastModified"]
    assert workspace.run("--resume", output=url).code == 0
    assert bucket.client.info(f"{bucket.name}/cleaned.jsonl")["LastModified"] == first
    kept = bucket.read("cleaned.jsonl")
    bucket.write("cleaned.jsonl", b"by somebody else\n")
    assert workspace.run("--resume", output=url).code == 0
    assert bucket.read("cleaned.jsonl") == kept


def test_what_was_there_stays_when_a_run_fails(workspace: Workspace, bucket: Bucket) -> None:
    bucket.write("cleaned.jsonl", b"of last week\n")
    failed = workspace.run(output=bucket.url("cleaned.jsonl"), max_loss="0.1")
    assert failed.code == 1
    assert bucket.read("cleaned.jsonl") == b"of last week\n"
    assert bucket.keys() == ["cleaned.jsonl"]
    assert bucket.uploads() == []


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
