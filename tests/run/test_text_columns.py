"""Texts in several places, from the command line to what is told about them."""

from __future__ import annotations

import json

import pytest

from entropyguard.core.errors import UsageError
from entropyguard.core.params import Params
from entropyguard.core.yaml_text import parse_yaml
from entropyguard.project.params_edit import with_value
from entropyguard.project.pipeline import packaged_files
from tests.conftest import Workspace

QUESTION = "how many boats lie in the old harbour"
ROWS = [
    {"question": QUESTION, "answer": {"text": "nine of them"}},
    {"question": QUESTION.upper(), "answer": {"text": "Nine of them"}},  # exact duplicate of 0
    {"question": QUESTION, "answer": {"text": "only two"}},
    {"question": "why is the old lighthouse dark tonight", "answer": None},
]


@pytest.fixture
def asked(workspace: Workspace) -> Workspace:
    workspace.input.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return workspace


@pytest.mark.pipeline
def test_several_flags_name_several_texts_and_everything_tells_of_them_as_one(asked: Workspace) -> None:
    both = ["--text-column", "question", "--text-column", "answer.text", "--no-semantic"]
    ended = asked.run(*both, "--json", "-", audit_log="gone.jsonl")
    assert ended.code == 0, ended.stderr
    assert asked.kept() == [ROWS[at] for at in (0, 2, 3)]
    assert json.loads(ended.stdout)["settings"]["ingest"]["text_column"] == ["question", "answer.text"]
    report = json.loads((asked.checkpoints / "report.json").read_text())
    assert report["settings"]["text_column"] == ["question", "answer.text"]
    (gone,) = [json.loads(line) for line in (asked.folder / "gone.jsonl").read_text().splitlines()]
    assert (gone["text"], gone["keeper_text"]) == (f"{QUESTION.upper()}\nNine of them", f"{QUESTION}\nnine of them")
    told = asked.call("explain", "1", "--checkpoint-dir", asked.checkpoints).stdout
    assert "nine of them" in told
    assert asked.run("--resume", *both).ran == []
    alone = asked.run("--resume", "--no-semantic", text_column="question")
    assert "Checkpoint invalid or not found: after_exact_dedup: text_column" in alone.stderr
    assert asked.kept() == [ROWS[0], ROWS[3]]


def test_a_wrong_name_among_several_ends_the_run(asked: Workspace) -> None:
    ended = asked.run("--text-column", "question", "--text-column", "text", "--no-semantic")
    assert ended.code == 64
    assert "No row has a column 'text'; there are: answer.text, question, answer." in ended.stderr


def test_a_list_in_params_names_several_columns() -> None:
    packaged = packaged_files()["params.yaml"].read_text(encoding="utf-8")

    def parsed(value: list[str]) -> Params:
        return Params.from_dict(parse_yaml(with_value(packaged, "ingest.text_column", value)))

    assert parsed(["a", "b[].c"]).ingest.text_column == ("a", "b[].c")
    assert parsed(["a", "b[].c"]).as_dict()["ingest"]["text_column"] == ["a", "b[].c"]
    for wrong in ([], ["a", ""], ["a", "a"]):
        with pytest.raises(
            UsageError, match=r"ingest\.text_column is .*; it must be a column's name, or a list of such"
        ):
            parsed(wrong)
