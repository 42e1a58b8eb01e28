"""The command line end to end: what a run keeps, says, writes and leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from entropyguard.project.pipeline import STAGES
from tests.conftest import TEXTS, Workspace, stage_outputs
from tests.static_model import write_static_model

pytestmark = pytest.mark.pipeline


def test_duplicates_go_and_everything_else_stays(workspace: Workspace) -> None:
    ended = workspace.run()
    assert ended.code == 0, ended.stderr
    assert ended.ran == list(STAGES)
    lines = workspace.input.read_text().splitlines(keepends=True)
    assert workspace.output.read_text() == "".join(lines[at] for at in (0, 3, 4, 5, 6, 7, 9))
    assert "10 rows in: 7 kept, 1 exact duplicates, 0 near-duplicates, 2 semantic duplicates" in ended.stderr


def test_two_checkpoint_dirs_hold_the_same_bytes(finished: Workspace) -> None:
    other = finished.folder / "other"
    assert finished.run(checkpoint_dir=other, threads="1", max_memory="500MB").code == 0
    assert stage_outputs(finished.checkpoints) == stage_outputs(other)


def test_a_run_without_resume_builds_everything_and_says_that_it_need_not(finished: Workspace) -> None:
    first = stage_outputs(finished.checkpoints)
    ended = finished.run("--json", "-")
    assert ended.ran == list(STAGES)
    assert "--resume would use them" in ended.stderr
    assert stage_outputs(finished.checkpoints) == first
    stages = json.loads(ended.stdout)["stages"]
    counts = stages["embed"]["counts"]
    assert (counts["embedded"], counts["reused"]) == (9, 0)
    assert stages["similar_pairs"]["counts"]["blocks_reused"] == 0


def test_what_a_failed_run_without_resume_saved_is_used_by_resume(finished: Workspace) -> None:
    finished.write_rows([f"{text} again" for text in TEXTS])
    assert finished.run("--max-loss", "0.01").code == 1
    (finished.checkpoints / ".entropyguard" / "embed.json").unlink()
    counts = json.loads(finished.run("--resume", "--json", "-").stdout)["stages"]["embed"]["counts"]
    assert (counts["embedded"], counts["reused"]) == (0, 9)


def test_resume_says_what_it_did_and_why(finished: Workspace) -> None:
    ended = finished.run("--resume", dedup_threshold="0.99")
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in ended.stderr.splitlines()}
    assert lines["exact_dedup"] == "up to date"
    assert lines["semantic_dedup"].startswith("ran: dedup_threshold 0.95 -> 0.99")
    assert "Checkpoint invalid or not found: after_semantic_dedup: dedup_threshold 0.95 -> 0.99" in ended.stderr
    ended = finished.run("--resume")
    assert "ran: dedup_threshold 0.99 -> 0.95" in ended.stderr


def test_a_changed_input_is_named_as_the_reason(finished: Workspace) -> None:
    finished.write_rows(TEXTS[:5])
    ended = finished.run("--resume")
    assert "Checkpoint invalid or not found: after_exact_dedup: input changed" in ended.stderr
    assert [row["id"] for row in finished.kept()] == [0, 3, 4]


def test_a_damaged_checkpoint_is_built_again(finished: Workspace) -> None:
    clean = stage_outputs(finished.checkpoints)
    path = finished.checkpoints / "after_exact_dedup.parquet"
    path.chmod(0o644)
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    ended = finished.run("--resume")
    assert (
        "Failed to load checkpoint: after_exact_dedup.parquet: content differs from what was written; building it again"
        in ended.stderr
    )
    # Where near_dedup drops nothing, its checkpoint can be the same file on disk.
    assert ended.ran in (["exact_dedup"], ["exact_dedup", "near_dedup"])
    assert stage_outputs(finished.checkpoints) == clean


def test_an_output_is_copied_again_only_where_it_is_not_what_was_published(finished: Workspace) -> None:
    clean = finished.output.read_bytes()
    assert finished.run("--resume").code == 0
    published = finished.output.stat().st_ino
    assert finished.run("--resume").code == 0
    assert finished.output.stat().st_ino == published
    for changed in (clean.replace(b"the", b"THE"), b""):
        finished.output.write_bytes(changed)
        finished.run("--resume")
        assert finished.output.read_bytes() == clean
    finished.output.unlink()
    other = finished.folder / "elsewhere.jsonl"
    for output in (finished.output, other, finished.output):
        finished.run("--resume", output=output)
        assert output.read_bytes() == clean


def test_the_summary_as_json_has_rows_settings_and_stages(workspace: Workspace) -> None:
    ended = workspace.run("--json", "-", "--quiet")
    assert ended.stderr == ""
    summary = json.loads(ended.stdout)
    assert summary["rows"] == {
        "in": 10,
        "rejected": 0,
        "dropped": {"min_length": 0, "exact": 1, "near": 0, "semantic": 2},
        "kept": 7,
        "nothing_to_compare": 0,
    }
    assert summary["settings"]["semantic"]["dedup_threshold"] == 0.95
    assert list(summary["stages"]) == list(STAGES)
    for outcome in summary["stages"].values():
        assert outcome["ran"] is True
        assert outcome["reason"] == "never built"
        assert outcome["seconds"] > 0
        assert outcome["peak_bytes"] > 1_000_000


def test_a_dry_run_lists_reasons_and_writes_nothing(workspace: Workspace) -> None:
    ended = workspace.answer(*workspace.flags("--dry-run"))
    assert ended.code == 0
    assert ended.stdout.count("would run: never built") == len(STAGES)
    assert not workspace.checkpoints.exists()


def test_a_dry_run_over_checkpoints_lists_what_would_change_and_writes_nothing(finished: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.checkpoints.rglob("*")}
    ended = finished.run("--dry-run", "--resume", dedup_threshold="0.99", output=finished.folder / "new.jsonl")
    assert "semantic_dedup  would run: dedup_threshold 0.95 -> 0.99" in ended.stdout
    assert ended.stdout.count("up to date") == len(STAGES) - 2
    assert {path: path.stat().st_mtime_ns for path in finished.checkpoints.rglob("*")} == before
    assert not (finished.folder / "new.jsonl").exists()


def test_a_dry_run_says_which_texts_were_found(workspace: Workspace) -> None:
    workspace.input.write_text('{"prompt": "Name a colour.", "completion": "Blue"}\n')
    command = ("--input", workspace.input, "--output", workspace.output, "--no-semantic", "--dry-run")
    ended = workspace.answer(*command)
    assert ended.stderr == "texts: prompt + completion (found; --text-column names others)\n"
    assert ended.stdout.count("would run: never built") == len(STAGES)
    assert workspace.answer(*command, "--quiet").stderr == ""
    assert workspace.answer(*command, "--text-column", "prompt").stderr == ""


def test_without_a_checkpoint_dir_nothing_is_left(workspace: Workspace) -> None:
    private = workspace.folder / "tmp"
    private.mkdir()
    workspace.environment["TMPDIR"] = str(private)
    ended = workspace.call("--input", workspace.input, "--output", workspace.output, "--model-name", workspace.model)
    assert ended.code == 0, ended.stderr
    assert len(workspace.kept()) == 7
    assert list(private.iterdir()) == []


def test_a_failed_run_without_a_checkpoint_dir_says_how_to_go_on(workspace: Workspace) -> None:
    private = workspace.folder / "tmp"
    private.mkdir()
    workspace.environment["TMPDIR"] = str(private)
    workspace.input.write_text('{"text": "one"}\n{"id": 1, "text": "1"}\n')
    ended = workspace.call(
        "--input", workspace.input, "--output", workspace.output, "--model-name", workspace.model, "--keep", "column:no"
    )
    assert ended.code == 64
    (kept,) = private.iterdir()
    assert f"--checkpoint-dir {kept} --resume" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("first", [0, 3]), ("longest", [1, 3]), ("column:score", [2, 3])],
    ids=["first", "longest", "column"],
)
def test_keep_policies_decide_which_duplicate_stays(policy: str, kept: list[int], workspace: Workspace) -> None:
    rows = [(5, "the cat sat"), (1, "the   cat sat"), (9, "a cat sat"), (0, "the river is cold")]
    lines = [json.dumps({"id": at, "score": score, "text": text}) for at, (score, text) in enumerate(rows)]
    workspace.input.write_text("\n".join(lines))
    ended = workspace.run(keep=policy, dedup_threshold="0.9")
    assert ended.code == 0, ended.stderr
    assert [row["id"] for row in workspace.kept()] == kept


def test_explain_shows_the_row_its_keeper_and_both_texts(built: Workspace) -> None:
    ended = built.call("explain", "2", "--checkpoint-dir", built.checkpoints)
    assert ended.code == 0, ended.stderr
    told, source = ended.stdout, re.escape(str(built.input))
    assert re.match(
        rf"row 2 \({source}, line 3\): dropped by semantic_dedup: semantic duplicate at similarity 0\.99\d{{4}}"
        rf" to row 0 \({source}, line 1\)\n",
        told,
    )
    assert re.search(rf"\n {TEXTS[2]} +{TEXTS[0]} *\n", told)
    ended = built.answer("explain", "--random", "2", "--checkpoint-dir", built.checkpoints)
    assert ended.stdout.count(": dropped by ") == 2
    ended = built.answer("explain", "99", "--checkpoint-dir", built.checkpoints)
    assert ended.code == 2
    assert "There is no row 99: the input has rows 0 to 9." in ended.stderr


def test_status_shows_each_stage_its_state_and_reason(finished: Workspace) -> None:
    ended = finished.call("status", "--checkpoint-dir", finished.checkpoints)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.count("up to date") == len(STAGES)
    finished.input.unlink()
    (finished.checkpoints / "similar_pairs.parquet").unlink()
    ended = finished.answer("status", "--checkpoint-dir", finished.checkpoints)
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in ended.stdout.splitlines()}
    assert re.match(r"out of date input .*\.jsonl is missing ", lines["ingest"])
    assert lines["similar_pairs"].startswith("missing similar_pairs.parquet is missing ")


def test_clean_frees_everything(finished: Workspace) -> None:
    ended = finished.call("clean", "--checkpoint-dir", finished.checkpoints)
    assert ended.code == 0, ended.stderr
    assert not finished.checkpoints.exists()
    foreign = finished.folder / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_text("meow")
    assert finished.answer("clean", "--checkpoint-dir", foreign).code == 2
    assert (foreign / "cat.jpg").read_text() == "meow"


def test_the_checkpoint_dir_is_private_and_an_ordinary_dvc_project(finished: Workspace) -> None:
    assert finished.checkpoints.stat().st_mode & 0o777 == 0o700
    dag = subprocess.run(
        [sys.executable, "-m", "dvc", "dag"], cwd=finished.checkpoints, capture_output=True, text=True, check=True
    )
    assert "similar_pairs" in dag.stdout
    metadata = json.loads((finished.checkpoints / "checkpoint_metadata.json").read_text())
    assert set(metadata["checkpoints"]) == {"after_exact_dedup", "after_semantic_dedup"}


def test_the_previous_output_stays_when_a_run_fails(finished: Workspace) -> None:
    before = finished.output.read_bytes()
    finished.input.write_text('{"text": 5}\n')
    assert finished.run("--resume").code == 64
    assert finished.output.read_bytes() == before


def test_vectors_are_shared_by_a_vector_cache(workspace: Workspace) -> None:
    cache = workspace.folder / "vectors"
    workspace.run(vector_cache=cache)
    ended = workspace.run("--json", "-", vector_cache=cache, checkpoint_dir=workspace.folder / "other")
    counts = json.loads(ended.stdout)["stages"]["embed"]["counts"]
    assert (counts["embedded"], counts["reused"]) == (0, 9)


def test_old_vectors_are_freed_when_the_new_ones_lie_in_a_cache(finished: Workspace) -> None:
    (stored,) = (finished.checkpoints / ".entropyguard" / "vectors").glob("*/*.parquet")
    finished.write_rows([f"{text} again" for text in TEXTS])
    finished.run("--resume", vector_cache=finished.folder / "vectors")
    assert not stored.exists()


def test_texts_the_model_cannot_read_take_no_part(workspace: Workspace, tmp_path: Path) -> None:
    model = write_static_model(tmp_path / "narrow", window=20)
    longer_than_16_windows = "cat " * 330
    workspace.write_rows(
        [
            "\u4eca\u5929\u5929\u6c14\u5f88\u597d",
            "\u6211\u559c\u6b22\u5403\u82f9\u679c",
            longer_than_16_windows + "river",
            longer_than_16_windows + "castle",
        ]
    )
    ended = workspace.run(model_name=model)
    assert "4 rows in: 4 kept" in ended.stderr
    assert "2 rows the model cannot read, 2 longer than it reads" in ended.stderr


def test_texts_that_begin_alike_are_kept_where_their_later_windows_differ(workspace: Workspace, tmp_path: Path) -> None:
    model = write_static_model(tmp_path / "narrow", window=20)
    beginning = "cat dog river castle garden " * 4
    workspace.write_rows([beginning + "music dance", beginning + "winter snow", beginning + "the music and the dance"])
    ended = workspace.run(model_name=model, near_threshold="0")  # by their words the first and the last are near
    assert "3 rows in: 2 kept, 0 exact duplicates, 1 semantic duplicates" in ended.stderr


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from entropyguard.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'dvc', 'polars', 'pyarrow', 'numpy', 'transformers', 'sentence_transformers', 'faiss'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "--dedup-threshold" in done.stdout


def test_one_generation_is_kept(finished: Workspace) -> None:
    one = disk_bytes(finished.checkpoints)
    for more, threshold in ((["the farm has a yellow gate"], "0.8"), (["a lion on the island"], "0.95")):
        finished.write_rows([*TEXTS, *more])
        assert finished.run("--resume", dedup_threshold=threshold).code == 0
    finished.write_rows(TEXTS)
    assert finished.run("--resume").code == 0
    assert disk_bytes(finished.checkpoints) == one
    parts = list((finished.checkpoints / ".entropyguard" / "vectors").rglob("*.parquet"))
    assert [part.stat().st_ino for part in parts] == [(finished.checkpoints / "embeddings.parquet").stat().st_ino]


def disk_bytes(folder: Path) -> int:
    """What a folder's data takes; a file that is linked twice counts once."""
    kinds = (".parquet", ".jsonl")
    stats = [
        path.stat() for path in folder.rglob("*") if path.is_file() and (path.suffix in kinds or "md5" in path.parts)
    ]
    return sum({stat.st_ino: stat.st_size for stat in stats}.values())


def test_a_lost_record_costs_only_its_stage(finished: Workspace) -> None:
    clean = stage_outputs(finished.checkpoints)
    (finished.checkpoints / ".entropyguard" / "similar_pairs.json").unlink()
    ended = finished.run("--resume")
    assert (ended.code, ended.ran) == (0, ["similar_pairs"]), ended.stderr
    assert stage_outputs(finished.checkpoints) == clean


def test_a_vector_cache_loses_only_what_the_model_cannot_use(workspace: Workspace, tmp_path: Path) -> None:
    cache = workspace.folder / "vectors"
    other = write_static_model(tmp_path / "other", words=["entropy"])
    workspace.run(vector_cache=cache)
    workspace.run(vector_cache=cache, model_name=other)
    assert len(list(cache.glob("*/"))) == 2
    (cache / "notes.txt").write_text("mine")
    ended = workspace.call("clean", "--vector-cache", cache, "--model-name", workspace.model)
    assert ended.code == 0, ended.stderr
    assert len(list(cache.glob("*/"))) == 1
    assert re.fullmatch(
        r"freed [1-9][\d.]* \w+, [1-9][\d.]* \w+ stay\nkept: notes\.txt - not made by entropyguard\n", ended.stderr
    )
    ended = workspace.run("--json", "-", vector_cache=cache, checkpoint_dir=workspace.folder / "new")
    assert json.loads(ended.stdout)["stages"]["embed"]["counts"]["embedded"] == 0
    (workspace.folder / "link").symlink_to(cache)
    for folder in (workspace.folder, workspace.folder / "link"):
        refused = workspace.answer("clean", "--vector-cache", folder)
        assert refused.code == 2
        assert "nothing was removed" in refused.stderr


def test_a_new_command_for_a_stage_is_named_as_the_reason(finished: Workspace) -> None:
    lock = finished.checkpoints / "dvc.lock"
    lock.write_text(lock.read_text().replace("cmd: exec python stages/export.py", "cmd: python stages/export.py"))
    ended = finished.answer(*finished.flags("--resume", "--dry-run"))
    assert "export          would run: its command changed" in ended.stdout
    ended = finished.run("--resume")
    assert ended.ran == ["export"]
    assert "export          ran: its command changed" in ended.stderr
