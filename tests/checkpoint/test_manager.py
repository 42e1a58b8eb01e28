"""CheckpointManager: what is saved comes back for the same input and configuration, and never otherwise."""

from __future__ import annotations

import datetime
import decimal
import doctest
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from entropyguard.core.checkpoint import CheckpointManager, CheckpointMetadata
from entropyguard.core.checkpoint import manager as checkpoint
from entropyguard.core.checkpoint.metadata import Entry, pipeline_entry, read_metadata, write_entries
from entropyguard.core.checkpoint.validity import config_hash, files_hash, input_hash
from entropyguard.core.errors import BusyError, InputError, OutputError, ProcessingError, UsageError
from entropyguard.core.ingest.ingest import ingest
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import FileState, content_digest, md5_digest
from entropyguard.core.storage.temporary import temporary_file
from entropyguard.project.own_names import FREED
from entropyguard.run.settings import default_params

FRAME = pl.DataFrame({"text": ["good", None], "n": [1, 2]})
CONFIG = {"word": "good", "limits": {"low": 0, "high": [1, 2.5]}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An input file."""
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "one"}\n{"text": "two"}\n')
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint dir that does not exist yet."""
    return tmp_path / "checkpoints"


@pytest.fixture
def manager(folder: Path) -> CheckpointManager:
    """A manager of that dir."""
    return CheckpointManager(folder)


def names(folder: Path) -> list[str]:
    """The files in a checkpoint dir that a user sees."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def overwrite(path: Path, content: bytes) -> None:
    """Write into a file, keeping size and mtime if the content allows; its ctime moves for certain."""
    before = FileState.of(path)
    while FileState.of(path).ctime_ns == before.ctime_ns:
        path.write_bytes(content)
        os.utime(path, ns=(before.mtime_ns, before.mtime_ns))


def test_the_example_in_the_class_docstring_works() -> None:
    result = doctest.testmod(checkpoint)
    assert result.attempted > 0
    assert result.failed == 0


# Saving and loading


def test_a_saved_frame_comes_back_by_another_manager(folder: Path, manager: CheckpointManager, data: Path) -> None:
    assert manager.save_checkpoint("mine", FRAME, str(data), CONFIG) == str(folder / "mine.parquet")
    again = CheckpointManager(str(folder)).load_checkpoint("mine", str(data), CONFIG)
    assert again is not None
    assert again.equals(FRAME)
    assert names(folder) == ["checkpoint_metadata.json", "mine.parquet"]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(),
        pl.DataFrame(schema={"text": pl.String}),
        pl.DataFrame({"record": ["a"], "row_id": [1], "": [None]}),
        pl.DataFrame({"kind": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"])), "set": [{"a": [1]}, None]}),
        pl.DataFrame({"price": [decimal.Decimal("1.20")], "day": [datetime.date(2026, 1, 1)], "raw": [b"\xff"]}),
        pl.DataFrame({"vector": pl.Series([[0.5, 1.5]], dtype=pl.Array(pl.Float32, 2))}),
    ],
    ids=["nothing", "no rows", "our column names", "enum and struct", "decimal, date, bytes", "array"],
)
def test_any_frame_comes_back_with_its_types(manager: CheckpointManager, data: Path, frame: pl.DataFrame) -> None:
    manager.save_checkpoint("mine", frame, data, {})
    again = manager.load_checkpoint("mine", data, {})
    assert again is not None
    assert again.schema == frame.schema
    assert again.equals(frame)


@settings(max_examples=30)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.none()))
def test_any_text_comes_back(texts: list[str | None]) -> None:
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    with TemporaryDirectory() as name:
        data = Path(name) / "data.txt"
        data.write_text("input")
        manager = CheckpointManager(Path(name) / "checkpoints")
        manager.save_checkpoint("mine", frame, data, {})
        again = manager.load_checkpoint("mine", data, {})
        assert again is not None
        assert again.equals(frame)


def test_a_frame_that_parquet_cannot_hold_is_refused_and_leaves_nothing(
    folder: Path, manager: CheckpointManager, data: Path
) -> None:
    with pytest.raises(UsageError, match="mine: Parquet cannot hold this frame"):
        manager.save_checkpoint("mine", pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)}), data, {})
    with pytest.raises(UsageError, match="not a LazyFrame"):
        manager.save_checkpoint("mine", FRAME.lazy(), data, {})  # type: ignore[arg-type]
    assert [path.name for path in folder.iterdir() if path.name != ".entropyguard"] == []


def test_saving_again_replaces_the_checkpoint(manager: CheckpointManager, data: Path) -> None:
    manager.save_checkpoint("mine", FRAME, data, {"a": 1})
    manager.save_checkpoint("mine", FRAME.head(1), data, {"a": 2})
    assert manager.load_checkpoint("mine", data, {"a": 1}) is None
    again = manager.load_checkpoint("mine", data, {"a": 2})
    assert again is not None
    assert again.height == 1


def test_the_dir_is_made_on_the_first_save_for_its_owner_alone(folder: Path, data: Path) -> None:
    manager = CheckpointManager(folder / "deep")
    assert manager.load_checkpoint("mine", data, {}) is None
    assert manager.find_latest_checkpoint() is None
    manager.cleanup_checkpoints()
    assert not folder.exists()
    manager.save_checkpoint("mine", FRAME, data, {})
    assert (folder / "deep").stat().st_mode & 0o777 == 0o700


def test_without_a_dir_every_method_does_nothing(data: Path) -> None:
    manager = CheckpointManager(None)
    assert not manager.is_enabled()
    assert manager.save_checkpoint("../x", FRAME, data / "missing", {}) is None
    assert manager.load_checkpoint("../x", data, {}) is None
    assert manager.find_latest_checkpoint() is None
    assert manager.get_checkpoint_stage() is None
    manager.cleanup_checkpoints(keep_latest=True)
    assert names(data.parent) == ["data.jsonl"]


# What makes a checkpoint invalid


def change_content(data: Path) -> Path:
    data.write_text('{"text": "one"}\n{"text": "TWO"}\n')
    return data


def rename_input(data: Path) -> Path:
    return data.rename(data.with_name("other.jsonl"))


def remove_input(data: Path) -> Path:
    data.unlink()
    return data


@pytest.mark.parametrize("change", [change_content, rename_input, remove_input])
def test_another_input_makes_a_checkpoint_invalid(
    manager: CheckpointManager, data: Path, change: Callable[[Path], Path]
) -> None:
    manager.save_checkpoint("mine", FRAME, data, CONFIG)
    assert manager.load_checkpoint("mine", change(data), CONFIG) is None


@pytest.mark.parametrize(
    "config",
    [{}, {**CONFIG, "more": None}, {**CONFIG, "word": "bad"}, {**CONFIG, "limits": {"low": 0, "high": [2.5, 1]}}],
)
def test_another_configuration_makes_a_checkpoint_invalid(
    manager: CheckpointManager, data: Path, config: dict[str, Any]
) -> None:
    manager.save_checkpoint("mine", FRAME, data, CONFIG)
    assert manager.load_checkpoint("mine", data, config) is None


def test_the_same_input_by_another_spelling_of_its_path_is_the_same(
    manager: CheckpointManager, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.save_checkpoint("mine", FRAME, data, CONFIG)
    monkeypatch.chdir(data.parent)
    os.utime(data, (0, 0))
    assert manager.load_checkpoint("mine", "./data.jsonl", CONFIG) is not None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(config=st.dictionaries(st.text(), VALUES, max_size=4))
def test_the_order_of_keys_does_not_matter_and_json_carries_a_configuration(config: dict[str, Any]) -> None:
    assert config_hash(dict(reversed(config.items()))) == config_hash(config)
    assert config_hash(json.loads(json.dumps(config))) == config_hash(config)


@given(one=VALUES, other=VALUES)
@example(one=1, other="1")
@example(one=None, other="null")
@example(one=[[1], 2], other=[1, [2]])
@example(one=["a", "b"], other=["a, b"])
@example(one={"a": {"b": 1}}, other={"a": {}, "b": 1})
@example(one=[], other={})
def test_configurations_have_one_hash_only_if_they_are_equal(one: Any, other: Any) -> None:
    if config_hash({"key": one}) == config_hash({"key": other}):
        assert one == other


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (Path("x"), r"config_dict\['key'\]"),
        (float("nan"), r"config_dict\['key'\]"),
        ([1, {2}], r"config_dict\['key'\]\[1\]"),
        ({1: "a"}, r"config_dict\['key'\]"),
    ],
)
def test_a_value_that_json_cannot_hold_is_refused_by_its_place(
    manager: CheckpointManager, data: Path, value: Any, where: str
) -> None:
    with pytest.raises(UsageError, match=f"{where} is .* no JSON value"):
        manager.save_checkpoint("mine", FRAME, data, {"key": value})
    with pytest.raises(UsageError, match=f"{where} is .* no JSON value"):
        manager.load_checkpoint("mine", data, {"key": value})


def test_what_is_no_dict_or_holds_itself_is_no_configuration() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    for config in (None, [1], endless):
        with pytest.raises(UsageError, match="must be a dict of JSON values"):
            config_hash(config)


# Hashes as DVC does


def test_a_file_has_the_hash_dvc_gives_it(data: Path) -> None:
    assert input_hash(data) == md5_digest(data)


def test_a_folder_has_the_hash_dvc_gives_it(tmp_path: Path) -> None:
    project, made = tmp_path / "project", tmp_path / "project" / "made"
    for name in ("a/x", "a-b/x", "a.b", "é", ".hidden", ".git/skipped", "B/c/d"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    (made / "empty").mkdir()
    (made / "link").symlink_to(made / "é")
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n    no_scm = True\n    analytics = false\n")
    env = {**os.environ, "DVC_SITE_CACHE_DIR": str(tmp_path / "site"), "DVC_NO_ANALYTICS": "1"}
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "made"], cwd=project, env=env, check=True)
    assert input_hash(made) == yaml.safe_load((project / "made.dvc").read_text())["outs"][0]["md5"]


def test_a_folder_is_another_input_once_a_file_in_it_changes(manager: CheckpointManager, data: Path) -> None:
    folder = data.parent / "many"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.csv").write_text("a")
    manager.save_checkpoint("mine", FRAME, folder, {})
    assert manager.load_checkpoint("mine", folder, {}) is not None
    (folder / "sub" / "a.csv").rename(folder / "sub" / "b.csv")
    assert manager.load_checkpoint("mine", folder, {}) is None


def test_a_checkpoint_dir_below_the_input_is_no_part_of_it(data: Path) -> None:
    manager = CheckpointManager(data.parent / "checkpoints")
    manager.save_checkpoint("one", FRAME, data.parent, {})
    manager.save_checkpoint("two", FRAME, data.parent, {})
    assert manager.load_checkpoint("one", data.parent, {}) is not None


def test_inputs_whose_changes_would_go_unnoticed_are_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="both the input and the checkpoint dir"):
        CheckpointManager(data.parent).save_checkpoint("mine", FRAME, data.parent, {})
    elsewhere, folder = data.parent / "elsewhere", data.parent / "folder"
    elsewhere.mkdir()
    folder.mkdir()
    (folder / "link").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="link is a link to a folder"):
        input_hash(folder)


def test_an_input_that_cannot_be_read_cannot_be_saved_for(manager: CheckpointManager, data: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.jsonl cannot be read"):
        manager.save_checkpoint("mine", FRAME, data.with_name("missing.jsonl"), {})
    os.mkfifo(data.with_name("pipe"))
    with pytest.raises(InputError, match="pipe is no regular file"):
        manager.save_checkpoint("mine", FRAME, data.with_name("pipe"), {})


# Stage names and places


@pytest.mark.parametrize(
    "stage", ["", "../x", "/etc/x", "a/b", "a\\b", ".hidden", "..", "a\nb", "a\0b", "\udc80", "x" * 201, 7]
)
def test_a_stage_that_is_no_plain_file_name_is_refused(manager: CheckpointManager, data: Path, stage: Any) -> None:
    with pytest.raises(UsageError, match="is no stage name"):
        manager.save_checkpoint(stage, FRAME, data, {})
    with pytest.raises(UsageError, match="is no stage name"):
        manager.load_checkpoint(stage, data, {})
    assert names(data.parent) == ["data.jsonl"]


@pytest.mark.parametrize("stage", ["x", "after clean-up 2.1", "étape", "x" * 200])
def test_other_names_are_stages(manager: CheckpointManager, data: Path, stage: str) -> None:
    manager.save_checkpoint(stage, FRAME, data, {})
    assert manager.load_checkpoint(stage, data, {}) is not None
    assert manager.get_checkpoint_stage() == stage


def test_a_checkpoint_dir_that_is_a_file_or_lies_in_one_is_refused(data: Path) -> None:
    for path in (data, data / "deeper" / "still"):
        with pytest.raises(UsageError, match=r"data\.jsonl is a file"):
            CheckpointManager(path)
    with pytest.raises(UsageError, match="checkpoint_dir is empty"):
        CheckpointManager("")


def test_a_checkpoint_dir_that_cannot_be_made_is_an_output_error(data: Path) -> None:
    (data.parent / "dangling").symlink_to(data.parent / "nowhere")
    with pytest.raises(OutputError, match="dangling cannot be written"):
        CheckpointManager(data.parent / "dangling").save_checkpoint("mine", FRAME, data, {})


# The metadata


def test_the_metadata_hold_what_was_published(folder: Path, manager: CheckpointManager, data: Path) -> None:
    manager.save_checkpoint("mine", FRAME, data, CONFIG)
    path = folder / "mine.parquet"
    (entry,) = json.loads((folder / "checkpoint_metadata.json").read_text())["checkpoints"].values()
    found = manager.find_latest_checkpoint()
    assert found == CheckpointMetadata(
        "mine", str(data), md5_digest(data), config_hash(CONFIG), 2, str(path), entry["timestamp"]
    )
    assert (entry["made_by"], entry["digest"]) == ("api", content_digest(path))
    assert entry["file_state"] == FileState.of(path).as_dict()


def test_the_latest_checkpoint_is_the_one_saved_last_that_is_still_there(
    folder: Path, manager: CheckpointManager, data: Path
) -> None:
    assert manager.get_checkpoint_stage() is None
    for stage in ("one", "two", "three", "one"):
        manager.save_checkpoint(stage, FRAME, data, {})
    assert manager.get_checkpoint_stage() == "one"
    (folder / "one.parquet").unlink()
    assert manager.get_checkpoint_stage() == "three"
    assert manager.load_checkpoint("one", data, {}) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"mine": {"stage": "mine"}}', b'{"version": 1, "checkpoints": {"mine": {}}}']
)
def test_metadata_that_cannot_be_understood_are_no_metadata(
    folder: Path, manager: CheckpointManager, data: Path, content: bytes
) -> None:
    manager.save_checkpoint("mine", FRAME, data, {})
    (folder / "checkpoint_metadata.json").write_bytes(content)
    assert manager.load_checkpoint("mine", data, {}) is None
    assert manager.find_latest_checkpoint() is None
    with pytest.raises(ProcessingError, match="Move or delete it"):  # nobody can tell any more whose file it is
        manager.save_checkpoint("mine", FRAME, data, {})
    (folder / "mine.parquet").unlink()
    manager.save_checkpoint("mine", FRAME, data, {})
    assert manager.load_checkpoint("mine", data, {}) is not None


def test_metadata_of_others_are_left_alone(folder: Path, manager: CheckpointManager, data: Path) -> None:
    folder.mkdir()
    (folder / "checkpoint_metadata.json").write_text('{"epoch": 7}')
    for _ in range(2):
        with pytest.raises(ProcessingError, match=r"checkpoint_metadata\.json was not written by this entropyguard"):
            manager.save_checkpoint("mine", FRAME, data, {})
    assert names(folder) == ["checkpoint_metadata.json"]
    assert (folder / "checkpoint_metadata.json").read_text() == '{"epoch": 7}'


def test_metadata_of_a_later_version_are_left_alone(folder: Path, manager: CheckpointManager, data: Path) -> None:
    manager.save_checkpoint("mine", FRAME, data, {})
    later = '{"version": 2, "checkpoints": {}}'
    (folder / "checkpoint_metadata.json").write_text(later)
    with pytest.raises(UsageError, match="is of version 2; upgrade entropyguard"):
        manager.save_checkpoint("mine", FRAME, data, {})
    assert (folder / "checkpoint_metadata.json").read_text() == later


SAVE_MANY = """
import sys
import polars as pl
from entropyguard.core.checkpoint.manager import CheckpointManager
manager = CheckpointManager(sys.argv[1])
for number in range(15):
    manager.save_checkpoint(f"{sys.argv[3]}{number}", pl.DataFrame({"n": [number]}), sys.argv[2], {})
    manager.save_checkpoint("shared", pl.DataFrame({"by": [sys.argv[3]] * number}), sys.argv[2], {})
"""


def test_processes_that_save_at_once_lose_nothing_of_each_other(
    folder: Path, manager: CheckpointManager, data: Path
) -> None:
    calls = [[sys.executable, "-c", SAVE_MANY, str(folder), str(data), who] for who in "ab"]
    running = [subprocess.Popen(call) for call in calls]
    assert [process.wait() for process in running] == [0, 0]
    for who in "ab":
        for number in range(15):
            frame = manager.load_checkpoint(f"{who}{number}", data, {})
            assert frame is not None
            assert frame["n"].to_list() == [number]
    shared = manager.load_checkpoint("shared", data, {})
    assert shared is not None
    assert shared.height == 14


# Damage and kills


def test_a_damaged_file_is_reported_with_what_to_do(folder: Path, manager: CheckpointManager, data: Path) -> None:
    manager.save_checkpoint("mine", FRAME, data, CONFIG)
    path = folder / "mine.parquet"
    content = path.read_bytes()
    damaged = content[:20] + bytes([content[20] ^ 1]) + content[21:]
    for bad in (damaged, content[:-1], b""):
        overwrite(path, bad)
        with pytest.raises(
            ProcessingError,
            match=r"Failed to load checkpoint: mine\.parquet: content differs from what was written; .*delete the file",
        ):
            manager.load_checkpoint("mine", data, CONFIG)
    assert manager.load_checkpoint("mine", data, {}) is None
    overwrite(path, content)
    assert manager.load_checkpoint("mine", data, CONFIG) is not None


def test_an_untouched_checkpoint_is_not_read_twice(
    manager: CheckpointManager, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.save_checkpoint("mine", FRAME, data, {})
    monkeypatch.setattr("entropyguard.core.checkpoint.frames.content_digest", lambda path: "another digest")
    assert manager.load_checkpoint("mine", data, {}) is not None


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_before_the_file_is_in_place_leaves_the_old_checkpoint(
    folder: Path, manager: CheckpointManager, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.save_checkpoint("mine", FRAME, data, {})
    monkeypatch.setattr(checkpoint, "content_digest", lambda path: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        manager.save_checkpoint("mine", FRAME.head(1), data, {})
    again = manager.load_checkpoint("mine", data, {})
    assert again is not None
    assert again.equals(FRAME)


def test_a_kill_between_the_file_and_its_entry_leaves_no_checkpoint(
    folder: Path, manager: CheckpointManager, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def place_and_die(temporary: Path, final: Path) -> None:
        temporary.replace(final)
        raise Killed

    manager.save_checkpoint("mine", FRAME, data, {})
    monkeypatch.setattr(checkpoint, "put_in_place", place_and_die)
    with pytest.raises(Killed):
        manager.save_checkpoint("mine", FRAME.head(1), data, {})
    monkeypatch.undo()
    assert manager.load_checkpoint("mine", data, {}) is None
    manager.save_checkpoint("mine", FRAME, data, {})
    assert manager.load_checkpoint("mine", data, {}) is not None


def test_what_a_killed_save_left_goes_with_the_next_one_but_not_what_is_being_written(
    folder: Path, manager: CheckpointManager, data: Path
) -> None:
    manager.save_checkpoint("mine", FRAME, data, {})
    with temporary_file(folder) as living:
        living.with_name(f"{living.name.rpartition('-')[0]}-{0:016x}.tmp").write_bytes(b"half")
        manager.save_checkpoint("mine", FRAME, data, {})
        assert list(folder.glob(".*.tmp")) == [living]


# A pipeline's dir


@pytest.fixture
def pipeline(folder: Path, data: Path) -> CheckpointManager:
    """A dir with two checkpoints that a pipeline published, and its cache and store."""
    for name in (
        f".entropyguard/vectors/model/vectors-{0:032x}.parquet",
        f".dvc/cache/files/md5/00/{0:030x}",
        "dropped/exact.parquet",
        "params.yaml",
        "notes.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / ".entropyguard" / "owned.json").write_text(json.dumps(FREED))
    (folder / ".entropyguard" / "lock").touch()
    publish(folder, str(data))
    return CheckpointManager(folder)


EXACT_KEYS = {"ingest.text_column": "text", "exact.min_length": 0, "exact.lowercase": True, "keep.policy": "first"}
SEMANTIC_KEYS = {
    **EXACT_KEYS,
    "near.threshold": 0.85,
    "near.protect_numbers": False,
    "embed.model": "all-MiniLM-L6-v2",
    "semantic.enabled": True,
    "semantic.dedup_threshold": 0.95,
    "semantic.protect": ["numbers", "negation", "names", "frame"],
}


def publish(folder: Path, spec: str) -> None:
    """What the build does at the end of a run; both checkpoints hold all rows."""
    files = dict.fromkeys([""]) if len(find_sources(spec)) == 1 else dict.fromkeys(["0000.jsonl", "0001.jsonl"])
    inputs = dict(zip(files, [Path(str(source)) for source in find_sources(spec)], strict=True))
    entries: list[Entry] = []
    for stage, keys in (("after_exact_dedup", EXACT_KEYS), ("after_semantic_dedup", SEMANTIC_KEYS)):
        path = folder / f"{stage}.parquet"
        ingest(find_sources(spec), path, folder / "rejected.jsonl", default_params().ingest, silent)
        entry = pipeline_entry(
            path,
            input_path=spec,
            input_files={name: str(file.resolve()) for name, file in inputs.items()},
            input_hash=files_hash(inputs),
            keys=keys,
            row_count=Checkpoint(path).rows,
            digest=content_digest(path),
            finished_at=10.0 - len(entries),
        )
        entries.append(entry)
    write_entries(folder, entries, {"generation": 7})


def test_of_a_pipelines_checkpoint_come_the_users_columns(pipeline: CheckpointManager, data: Path) -> None:
    frame = pipeline.load_checkpoint("after_exact_dedup", str(data), {})
    assert frame is not None
    assert frame.to_dict(as_series=False) == {"text": ["one", "two"]}


def test_a_pipelines_latest_checkpoint_is_its_last_stage(pipeline: CheckpointManager, folder: Path) -> None:
    latest = pipeline.find_latest_checkpoint()
    assert latest is not None
    assert (latest.stage, latest.row_count) == ("after_semantic_dedup", 2)
    assert latest.checkpoint_path == str(folder / "after_semantic_dedup.parquet")


@pytest.mark.parametrize(
    ("config", "exact", "semantic"),
    [
        ({"dedup_threshold": 0.95, "min_length": 0, "text_column": "text", "keep": "first"}, True, True),
        ({"semantic": {"dedup_threshold": 0.95}, "exact": {"min_length": 0.0}}, True, True),
        ({"semantic.dedup_threshold": 0.8}, True, False),
        ({"dedup_threshold": 0.8}, True, False),
        ({"semantic": {"dedup_threshold": 0.8}}, True, False),
        ({"model_name": "sentence-transformers/all-MiniLM-L6-v2"}, True, True),
        ({"model_name": "another-model"}, True, False),
        ({"no_semantic": False}, True, True),
        ({"no_semantic": True}, True, False),
        ({"protect": ["frame", "names", "negation", "numbers"], "no_protect": False}, True, True),
        ({"protect": ["numbers"]}, True, False),
        ({"no_protect": True}, True, False),
        ({"protect_numbers": False}, True, True),
        ({"protect_numbers": True}, True, False),
        ({"near_threshold": 0.85, "near.min_words": 3}, True, True),
        ({"near_threshold": 0}, True, False),
        ({"min_length": 1}, False, False),
        ({"min_length": False}, False, False),
        ({"keep": "longest"}, False, False),
        ({"keep": {"policy": "longest"}}, False, False),
        ({"exact.lowercase": False}, False, False),
        ({"output": {"format": "csv"}, "batch_size": 3}, True, True),
    ],
)
def test_only_what_a_stage_depends_on_makes_its_checkpoint_invalid(
    pipeline: CheckpointManager, data: Path, config: dict[str, Any], *, exact: bool, semantic: bool
) -> None:
    assert (pipeline.load_checkpoint("after_exact_dedup", data, config) is not None) == exact
    assert (pipeline.load_checkpoint("after_semantic_dedup", data, config) is not None) == semantic


@pytest.mark.parametrize("change", [change_content, rename_input, remove_input])
def test_another_input_makes_a_pipelines_checkpoint_invalid(
    pipeline: CheckpointManager, data: Path, change: Callable[[Path], Path]
) -> None:
    assert pipeline.load_checkpoint("after_exact_dedup", change(data), {}) is None


def test_several_inputs_are_the_same_whether_named_by_folder_or_glob(
    pipeline: CheckpointManager, folder: Path, data: Path
) -> None:
    many = data.parent / "many"
    many.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (many / name).write_text(f'{{"text": "{name}"}}\n')
    publish(folder, str(many))
    assert pipeline.load_checkpoint("after_exact_dedup", many, {}) is not None
    assert pipeline.load_checkpoint("after_exact_dedup", str(many / "*.jsonl"), {}) is not None
    assert pipeline.load_checkpoint("after_exact_dedup", many / "a.jsonl", {}) is None
    (many / "b.jsonl").write_text('{"text": "else"}\n')
    assert pipeline.load_checkpoint("after_exact_dedup", many, {}) is None


def test_a_pipelines_damaged_checkpoint_names_the_flag_that_builds_it_again(
    pipeline: CheckpointManager, folder: Path, data: Path
) -> None:
    overwrite(folder / "after_exact_dedup.parquet", b"PAR1")
    with pytest.raises(ProcessingError, match=r"after_exact_dedup\.parquet: content differs .* --resume"):
        pipeline.load_checkpoint("after_exact_dedup", data, {})


@pytest.mark.parametrize("stage", ["after_exact_dedup", "after_near_dedup", "after_semantic_dedup", "embeddings"])
def test_the_api_never_writes_a_file_of_the_pipeline(
    pipeline: CheckpointManager, folder: Path, data: Path, stage: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.glob("*.parquet")}
    with pytest.raises(UsageError, match=rf"{stage}\.parquet is a file of that pipeline\. Save under another stage"):
        pipeline.save_checkpoint(stage, FRAME, data, {})
    assert {path.name: path.read_bytes() for path in folder.glob("*.parquet")} == before


def test_a_plain_dir_may_use_the_names_of_the_pipeline(manager: CheckpointManager, folder: Path, data: Path) -> None:
    manager.save_checkpoint("after_exact_dedup", FRAME, data, {"dedup_threshold": 0.9})
    assert manager.load_checkpoint("after_exact_dedup", data, {"dedup_threshold": 0.8}) is None
    assert read_metadata(folder).checkpoints["after_exact_dedup"].made_by == "api"


def test_the_pipelines_entries_and_the_apis_live_side_by_side(
    pipeline: CheckpointManager, folder: Path, data: Path
) -> None:
    pipeline.save_checkpoint("mine", FRAME, data, {})
    pipeline.save_checkpoint("mine", FRAME, data, {})
    assert read_metadata(folder).pipeline == {"generation": 7}
    assert pipeline.get_checkpoint_stage() == "mine"
    write_entries(folder, [])
    assert pipeline.load_checkpoint("mine", data, {}) is not None
    assert pipeline.load_checkpoint("after_exact_dedup", data, {}) is None
    assert read_metadata(folder).pipeline == {"generation": 7}


# Files of the user's own


def users_parquet(path: Path) -> None:
    pl.DataFrame({"own": [1, 2, 3]}).write_parquet(path)


def users_folder(path: Path) -> None:
    path.mkdir()


def users_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("put", [users_parquet, users_folder, users_link])
@pytest.mark.parametrize("after_a_save", [False, True])
def test_a_file_of_the_users_in_a_stages_place_is_neither_replaced_nor_removed(
    folder: Path, manager: CheckpointManager, data: Path, put: Callable[[Path], None], *, after_a_save: bool
) -> None:
    path = folder / "train.parquet"
    folder.mkdir()
    if after_a_save:
        manager.save_checkpoint("train", FRAME, data, {})
        path.unlink()
    put(path)
    before = path.lstat()
    with pytest.raises(ProcessingError, match=r"train\.parquet is not what save_checkpoint wrote.*Move or delete it"):
        manager.save_checkpoint("train", FRAME, data, {})
    manager.cleanup_checkpoints()
    assert path.lstat() == before
    assert "train" not in read_metadata(folder).checkpoints


def test_a_file_that_a_killed_save_left_can_be_replaced_and_removed(
    folder: Path, manager: CheckpointManager, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_before(temporary: Path, final: Path) -> None:
        raise Killed

    def die_after(temporary: Path, final: Path) -> None:
        temporary.replace(final)
        raise Killed

    manager.save_checkpoint("mine", FRAME, data, {})
    for die in (die_before, die_after, die_before, die_after):  # the old file is there without its entry, or the new
        monkeypatch.setattr(checkpoint, "put_in_place", die)
        with pytest.raises(Killed):
            manager.save_checkpoint("mine", FRAME.head(1), data, {})
    monkeypatch.undo()
    manager.save_checkpoint("mine", FRAME, data, {})
    monkeypatch.setattr(checkpoint, "put_in_place", die_after)
    with pytest.raises(Killed):
        manager.save_checkpoint("mine", FRAME.head(1), data, {})
    manager.cleanup_checkpoints()
    assert names(folder) == []


# Cleaning up


def test_cleaning_up_removes_checkpoints_and_nothing_else(manager: CheckpointManager, folder: Path, data: Path) -> None:
    for stage in ("one", "two"):
        manager.save_checkpoint(stage, FRAME, data, {})
    (folder / "mine.txt").write_text("not yours")
    (folder / "other.parquet").write_text("not yours")
    manager.cleanup_checkpoints(keep_latest=True)
    assert names(folder) == ["checkpoint_metadata.json", "mine.txt", "other.parquet", "two.parquet"]
    assert manager.load_checkpoint("two", data, {}) is not None
    manager.cleanup_checkpoints()
    assert names(folder) == ["mine.txt", "other.parquet"]
    assert manager.find_latest_checkpoint() is None


def test_cleaning_up_a_folder_that_holds_no_checkpoints_changes_nothing(data: Path) -> None:
    CheckpointManager(data.parent).cleanup_checkpoints()
    assert [path.name for path in data.parent.iterdir()] == ["data.jsonl"]


def test_cleaning_up_a_pipelines_dir_frees_its_cache_and_store(pipeline: CheckpointManager, folder: Path) -> None:
    pipeline.cleanup_checkpoints()
    assert names(folder) == ["checkpoint_metadata.json", "notes.txt", "params.yaml"]
    assert not (folder / ".dvc" / "cache").exists()
    assert not (folder / ".entropyguard" / "vectors").exists()
    assert read_metadata(folder).pipeline == {"generation": 7}


def test_cleaning_up_a_pipelines_dir_can_keep_its_result(pipeline: CheckpointManager, folder: Path, data: Path) -> None:
    pipeline.cleanup_checkpoints(keep_latest=True)
    assert [path.name for path in folder.glob("*.parquet")] == ["after_semantic_dedup.parquet"]
    assert not (folder / ".dvc" / "cache").exists()
    assert pipeline.load_checkpoint("after_semantic_dedup", data, {}) is not None


@pytest.mark.parametrize("lock", ["lock", "stage.lock"])
def test_nothing_is_removed_while_a_build_is_at_work(pipeline: CheckpointManager, folder: Path, lock: str) -> None:
    before = sorted(folder.rglob("*"))
    with (folder / ".entropyguard" / lock).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="A build is at work"):
            pipeline.cleanup_checkpoints()
    assert {path for path in folder.rglob("*") if path.is_file()} >= {path for path in before if path.is_file()}


@pytest.mark.parametrize("name", [r"\.\./data\.jsonl", "/etc/hostname", r"\.", "away/data.jsonl", "away/", "(", ".*"])
def test_what_lies_outside_the_dir_is_never_removed(
    pipeline: CheckpointManager, folder: Path, data: Path, name: str
) -> None:
    (folder / "away").symlink_to(data.parent)
    (folder / ".entropyguard" / "owned.json").write_text(json.dumps([name]))
    pipeline.cleanup_checkpoints()
    assert data.exists()
    assert (folder / "away").is_symlink()


def test_a_file_of_the_users_in_a_place_of_the_builds_stays(pipeline: CheckpointManager, folder: Path) -> None:
    foreign = [
        folder / name for name in ("dropped/mine.txt", ".dvc/cache/mine", ".entropyguard/vectors/model/a.parquet")
    ]
    for path in foreign:
        path.write_text("mine")
    pipeline.cleanup_checkpoints()
    assert [path.read_text() for path in foreign] == ["mine"] * 3
    assert not (folder / "dropped" / "exact.parquet").exists()
