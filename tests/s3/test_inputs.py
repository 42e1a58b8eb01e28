"""An input in a bucket: every format, known by its ETags, and read whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import entropyguard
from entropyguard.core.errors import EntropyguardError, InputError
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_input, find_sources
from entropyguard.core.progress import silent
from entropyguard.run.settings import default_params
from tests.conftest import TEXTS, Workspace
from tests.ingest.test_arrow_input import save_dataset
from tests.ingest.test_every_source import SOURCES
from tests.s3.conftest import Bucket
from tests.s3.proxy import proxy_to
from tests.s3.server import Identity

STAGES = ["ingest", "exact_dedup", "near_dedup", "embed", "similar_pairs", "semantic_dedup", "export"]


@pytest.fixture
def as_writer(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """This process reaches the server."""
    use(monkeypatch, bucket.variables())
    return bucket


def use(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Have this process take these credentials, and no client that was made with others."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def upload(bucket: Bucket, folder: Path) -> None:
    """Put all files of a folder into the bucket, by their paths below it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            bucket.write(path.relative_to(folder).as_posix(), path.read_bytes())


def checkpoint(spec: str, out: Path) -> tuple[bytes, bytes]:
    """What ingest writes for an input."""
    out.mkdir(exist_ok=True)
    files = out / "ingested.parquet", out / "rejected.jsonl"
    ingest(find_sources(spec), *files, default_params().ingest, silent)
    return files[0].read_bytes(), files[1].read_bytes()


def lines(texts: list[str]) -> bytes:
    return "".join(json.dumps({"id": at, "text": text}) + "\n" for at, text in enumerate(texts)).encode()


def in_parts(bucket: Bucket, key: str) -> None:
    """Upload an object's own bytes once more, in parts, so that it gets another ETag."""
    content, place = bucket.read(key), {"Bucket": bucket.name, "Key": key}
    client = bucket.client
    upload_id = client.call_s3("create_multipart_upload", **place)["UploadId"]
    part = client.call_s3("upload_part", **place, UploadId=upload_id, PartNumber=1, Body=content)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.call_s3("complete_multipart_upload", **place, UploadId=upload_id, MultipartUpload=parts)


def largest_file(folder: Path) -> int:
    """The bytes of the largest file in a folder where others come and go, but for DVC's notes on files."""
    largest = 0
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "site"]
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                largest = max(largest, (Path(here) / name).lstat().st_size)
    return largest


def test_every_format_gives_the_checkpoint_of_the_local_files(tmp_path: Path, as_writer: Bucket) -> None:
    here = tmp_path / "here"
    for name, content in SOURCES.items():
        (here / name).mkdir(parents=True)
        (here / name / name).write_bytes(content())
    save_dataset(here / "saved", pa.table({"text": TEXTS[:4]}), pa.table({"text": TEXTS[4:]}))
    (here / "saved" / "cache-1.arrow").write_bytes(b"of no account")
    for year in (2023, 2024):
        sink = io.BytesIO()
        pq.write_table(pa.table({"text": TEXTS * 500, "n": list(range(5000))}), sink, row_group_size=700)
        (here / "hive" / f"year={year}").mkdir(parents=True)
        (here / "hive" / f"year={year}" / "part-0.parquet").write_bytes(sink.getvalue())
    (here / "many").mkdir()
    for name in ("b.jsonl", "a.jsonl.zst", "sub/c.jsonl", "_notes/d.jsonl", ".hidden.jsonl", "e.txt", "empty.jsonl"):
        path = here / "many" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"" if name == "empty.jsonl" else SOURCES.get(name, SOURCES["a.jsonl"])())
    upload(as_writer, here)
    specs = [
        *(f"{name}/{name}" for name in SOURCES),
        "saved",
        "hive",
        "hive/*/*.parquet",
        "many",
        "many/*",
        "many/**/*",
    ]
    for spec in specs:
        local, remote = find_input(str(here / spec)), find_input(as_writer.url(spec))
        assert [str(one).removeprefix(as_writer.url()) for one in remote.sources] == [
            str(Path(str(one)).relative_to(here)) for one in local.sources
        ]
        assert {(str(one.path).removeprefix(as_writer.url()), one.reason) for one in remote.skipped} == {
            (str(Path(one.path).relative_to(here)), one.reason) for one in local.skipped
        }
        assert remote.partitions == local.partitions
        got = [checkpoint(str(where), tmp_path / "out") for where in (here / spec, as_writer.url(spec))]
        assert got[0] == got[1], spec


def test_a_run_does_again_what_objects_ask_for_and_says_which(workspace: Workspace, bucket: Bucket) -> None:
    bucket.write("in/a.jsonl", lines(TEXTS[:5]))
    bucket.write("in/b.jsonl", lines(TEXTS[5:]))
    spec = bucket.url("in/")
    first = workspace.run("--no-semantic", input=spec)
    assert (first.code, first.ran) == (0, STAGES), first.stderr
    again = workspace.run("--resume", "--no-semantic", input=spec)
    assert (again.code, again.ran) == (0, []), again.stderr
    explained = workspace.call("explain", "6", "--checkpoint-dir", workspace.checkpoints)
    assert f"{bucket.url('in/b.jsonl')}, line 2" in explained.stdout
    assert workspace.call("sweep", "--stage", "near", "--checkpoint-dir", workspace.checkpoints).code == 0
    assert workspace.call("verify", "--checkpoint-dir", workspace.checkpoints).code == 0

    in_parts(bucket, "in/a.jsonl")
    again = workspace.run("--resume", "--no-semantic", input=spec)
    assert (again.code, again.ran) == (0, ["ingest"]), again.stderr
    assert f"ran: {bucket.url('in/a.jsonl')} was replaced" in again.stderr

    bucket.write("in/a.jsonl", lines([*TEXTS[:4], "a lamp in the hall"]))
    bucket.write("in/c.jsonl", lines(["a further text of another file"]))
    bucket.client.rm(f"{bucket.name}/in/b.jsonl")
    said = f"{bucket.url('in/a.jsonl')} was replaced, {bucket.url('in/c.jsonl')} was added, "
    said += f"{bucket.url('in/b.jsonl')} is gone"
    verified = workspace.call("verify", "--checkpoint-dir", workspace.checkpoints)
    assert (verified.code, said in verified.stdout) == (1, True)
    assert said in " ".join(workspace.call("status", "--checkpoint-dir", workspace.checkpoints).stdout.split())
    again = workspace.run("--resume", "--no-semantic", input=spec)
    assert (again.code, again.ran[:2]) == (0, ["ingest", "exact_dedup"]), again.stderr
    assert f"ran: {said}" in again.stderr
    assert "a further text of another file" in [row["text"] for row in workspace.kept()]


def test_an_object_that_is_replaced_while_it_is_read_ends_the_run(workspace: Workspace, bucket: Bucket) -> None:
    content = lines([f"text number {at} of the first upload" + 20 * " and so on" for at in range(30_000)])
    bucket.write("big.jsonl", content)
    with proxy_to(
        bucket.address.endpoint,
        happens=lambda: bucket.write("big.jsonl", content.replace(b"first", b"other")),
        happens_at=4 << 20,  # what looks for the text column takes less
    ) as between:
        workspace.environment |= bucket.variables(endpoint=between.endpoint)
        ended = workspace.run("--no-semantic", input=bucket.url("big.jsonl"))
    assert ended.code == 65, ended.stderr
    assert f"{bucket.url('big.jsonl')} was replaced by someone else meanwhile; nothing was published" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not workspace.output.exists()


def test_a_connection_that_breaks_again_and_again_changes_nothing_and_no_copy_is_made(
    workspace: Workspace, bucket: Bucket
) -> None:
    content = lines([f"the text of number {at % 500} comes again and again" for at in range(30_000)])
    bucket.write("big.jsonl", content)
    largest = 0
    with proxy_to(bucket.address.endpoint, cut_after=400_000) as between:
        workspace.environment |= bucket.variables(endpoint=between.endpoint) | {"TMPDIR": str(workspace.folder)}
        command = workspace.command(
            *("--input", bucket.url("big.jsonl"), "--output", workspace.output, "--no-semantic"),
            *("--checkpoint-dir", workspace.checkpoints),
        )
        with subprocess.Popen(command, cwd=workspace.folder, env=workspace.env(), stderr=subprocess.PIPE) as run:
            while run.poll() is None:
                largest = max(largest, largest_file(workspace.folder))
                time.sleep(0.02)
            assert run.stderr is not None
            assert run.returncode == 0, run.stderr.read().decode()
    assert between.cuts > 2
    assert largest < len(content) / 3
    (workspace.folder / "local.jsonl").write_bytes(content)
    expected = checkpoint(str(workspace.folder / "local.jsonl"), workspace.folder / "out")
    assert (workspace.checkpoints / "ingested.parquet").read_bytes() == expected[0]


def test_dedup_takes_a_url(as_writer: Bucket) -> None:
    as_writer.write("data.jsonl", lines(TEXTS))
    with entropyguard.dedup(as_writer.url("data.jsonl"), semantic=False) as result:
        assert result.explain(1).row.file == as_writer.url("data.jsonl")
        assert len(result.kept_rows) == 9


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("none.jsonl", "none.jsonl is missing"),
        ("none/", "none/ holds no data files"),
        ("*.csv", r"\*.csv holds no data files"),
        ("empty.jsonl", "empty.jsonl is empty"),
        ("empties/", "every data file in it is empty"),
        ("mixed/", r"mixes jsonl \(a.jsonl\) and csv \(b.csv\)"),
        ("notes.txt", "has no ending of a data file"),
        ("kept", "is a checkpoint dir or a data repo"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(as_writer: Bucket, spec: str, said: str) -> None:
    keys = ["empty.jsonl", "empties/a.jsonl", "mixed/a.jsonl", "mixed/b.csv", "notes.txt", "kept/.entropyguard/lock"]
    for key in keys:
        as_writer.write(key, b"" if "empt" in key else b"text\n")
    with pytest.raises(EntropyguardError, match=said) as caught:
        find_input(as_writer.url(spec))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "access is denied"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "access is denied"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials were found"),
        ({"AWS_PROFILE": "nobody"}, "no credentials were found"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "the server cannot be reached"),
        ({"AWS_ENDPOINT_URL": "127.0.0.1:9"}, "the endpoint is no URL"),
    ],
)
def test_who_may_not_or_cannot_read_is_told_why(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    use(monkeypatch, {**bucket.variables(), **changes})
    for name, value in changes.items():
        if not value:
            monkeypatch.delenv(name)
    with pytest.raises(InputError, match=said) as caught:
        find_input(bucket.url("a.jsonl"))
    assert "\n" not in str(caught.value)
    assert "writer-secret" not in str(caught.value)


def test_a_bucket_that_is_not_there(as_writer: Bucket) -> None:
    for spec in ("s3://no-such-bucket/a.jsonl", "s3://no-such-bucket/a/", "s3://no-such-bucket/*.jsonl"):
        with pytest.raises(InputError, match=r"there is no such bucket|holds no data files"):
            find_input(spec)


def test_keys_that_the_server_does_not_know(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, bucket.variables(Identity("nobody", "secret")))
    with pytest.raises(InputError, match="does not accept these keys"):
        find_input(bucket.url("in/"))
