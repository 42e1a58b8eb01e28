"""The cleaned rows as a folder of Hugging Face's: whole, loadable, and never in the place of something else."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from datasets import load_from_disk

from entropyguard.core.errors import OutputError, UsageError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.run.publish import output_format, publish
from entropyguard.run.targets import check_input, check_targets, targets
from tests.conftest import TEXTS, Workspace
from tests.ingest.test_arrow_input import save_dataset, texts, write_stream


def stream(folder: Path, *values: str) -> Path:
    write_stream(folder / "built.arrows", texts(*values))
    return folder / "built.arrows"


def rows(folder: Path) -> list[str]:
    """Read as `load_from_disk` does: the files that state.json names, each an Arrow stream."""
    state = json.loads((folder / "state.json").read_text())
    assert json.loads((folder / "dataset_info.json").read_text())["description"] == ""
    tables = []
    for one in state["_data_files"]:
        with pa.memory_map(str(folder / one["filename"])) as file:
            tables.append(pa.ipc.open_stream(file).read_all())
    return list(pa.concat_tables(tables)["text"].to_pylist())


def test_a_new_an_empty_and_our_own_folder_are_written(tmp_path: Path) -> None:
    output = f"{tmp_path / 'ds'}/"
    assert output_format(output) == "arrows"
    for values in (("a", "b"), ("c",)):
        publish(stream(tmp_path, *values), output)
        assert rows(tmp_path / "ds") == list(values)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["built.arrows", "ds"]
    (tmp_path / "empty").mkdir()
    publish(stream(tmp_path, "d"), f"{tmp_path / 'empty'}/")
    assert rows(tmp_path / "empty") == ["d"]
    first = (tmp_path / "empty" / "state.json").read_bytes()
    publish(stream(tmp_path, "d"), f"{tmp_path / 'empty'}/")
    assert (tmp_path / "empty" / "state.json").read_bytes() == first


def test_what_a_killed_run_left_goes_with_the_next_result(tmp_path: Path) -> None:
    built, output = stream(tmp_path, "a"), f"{tmp_path / 'ds'}/"
    killed = (
        "import os, signal, sys; from pathlib import Path; from entropyguard.run import saved_dataset\n"
        "saved_dataset.sync_file = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "saved_dataset.publish_folder(Path(sys.argv[1]), sys.argv[2], '--output')\n"
    )
    ended = subprocess.run([sys.executable, "-c", killed, str(built), output], check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".entropyguard-*")
    assert (left / "state.json").exists()
    publish(built, output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built.arrows", "ds"]


def test_without_an_exchange_of_names_a_folder_is_replaced_too_or_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoExchange:
        def renameat2(self, *_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: NoExchange())
    output = f"{tmp_path / 'ds'}/"
    for value in ("a", "b"):
        publish(stream(tmp_path, value), output)
        assert rows(tmp_path / "ds") == [value]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["built.arrows", "ds"]
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if target == tmp_path / "ds" and path.suffix == ".tmp":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OutputError, match="what was there before stays"):
        publish(stream(tmp_path, "c"), output)
    assert rows(tmp_path / "ds") == ["b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built.arrows", "ds"]


def test_what_datasets_cached_of_a_result_goes_with_it(tmp_path: Path) -> None:
    output = f"{tmp_path / 'ds'}/"
    publish(stream(tmp_path, "a", "b"), output)
    load_from_disk(output).filter(lambda row: row["text"] == "b")
    assert list((tmp_path / "ds").glob("cache-*.arrow"))
    publish(stream(tmp_path, "c"), output)
    assert load_from_disk(output)["text"][:] == ["c"]
    assert len(list((tmp_path / "ds").iterdir())) == 3


@pytest.mark.parametrize("whose", ["file", "foreign", "saved by datasets", "ours with more"])
def test_what_is_not_ours_stays(tmp_path: Path, whose: str) -> None:
    folder, output = tmp_path / "ds", f"{tmp_path / 'ds'}/"
    if whose == "file":
        folder.write_text("mine")
    elif whose == "foreign":
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
    elif whose == "saved by datasets":
        save_dataset(folder, texts("mine"))
    else:
        publish(stream(tmp_path, "a"), output)
        (folder / "README.md").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(OutputError, match="is no data set that entropyguard wrote, and not empty"):
        check_targets(targets(output=output))
    with pytest.raises(OutputError, match="Name a new folder"):
        publish(stream(tmp_path, "a"), output)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: after.get(path) for path in before if path.name != "built.arrows"} == {
        path: data for path, data in before.items() if path.name != "built.arrows"
    }


def test_a_folder_within_the_input_is_refused(tmp_path: Path) -> None:
    save_dataset(tmp_path / "ds", texts("a"))
    for output in (f"{tmp_path / 'ds'}/", f"{tmp_path / 'ds' / 'clean'}/"):
        with pytest.raises(UsageError, match="would be read as part of --input"):
            check_input(
                targets(output=output),
                str(tmp_path / "ds"),
                [Path(str(one)) for one in find_sources(str(tmp_path / "ds"))],
            )


def test_the_parent_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        check_targets(targets(output=f"{tmp_path / 'no' / 'ds'}/"))


@pytest.mark.pipeline
def test_an_array_goes_to_a_folder_and_back_to_lines(workspace: Workspace) -> None:
    source, folder = workspace.folder / "a.json", workspace.folder / "ds"
    source.write_text(json.dumps([{"text": text} for text in TEXTS], indent=2))
    flags = ("--model-name", workspace.model, "--input")
    ended = workspace.call(*flags, source, "--output", f"{folder}/")
    assert ended.code == 0, ended.stderr
    assert rows(folder) == [TEXTS[at] for at in (0, 3, 4, 5, 6, 7, 9)]
    ended = workspace.call(*flags, folder, "--output", "again.jsonl")
    assert ended.code == 0, ended.stderr
    again = (workspace.folder / "again.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in again] == rows(folder)
