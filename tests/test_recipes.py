"""All of docs/recipes.md is run, sessions as those of the other pages and Python's as doctests, over such data."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from tests.test_docs import ROOT, run_session, sessions_of

PAGE = ROOT / "docs/recipes.md"

QUESTION = "How do I sort a list in Python without changing it?"
ANSWER = "Call sorted(numbers): it gives a new list and leaves yours as it is."
PICTURE, CAT = "What is on this picture?", "A cat on a red sofa."


def chat(*contents: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]}


CHATS = [
    chat(QUESTION, ANSWER),
    chat(QUESTION.replace("in Python", "in  python"), ANSWER),  # exact duplicate of 0
    chat(QUESTION, ANSWER.replace("gives", "gives you")),  # near-duplicate of 0
    chat(QUESTION, "Copy it first, then call copy.sort()."),
    chat([{"type": "text", "text": PICTURE}, {"type": "image_url", "image_url": {"url": "cat.png"}}], CAT),
    chat(PICTURE, CAT),  # exact duplicate of 4
]
ORDERS = [
    {"instruction": "Add the numbers.", "input": "1 and 2", "output": "3"},
    {"instruction": "Add the numbers.", "input": "2 and 2", "output": "4"},
    {"instruction": "add the numbers.", "input": "1 and 2", "output": "3"},  # exact duplicate of 0
    {"instruction": "Name a colour.", "output": "Blue"},
    {"instruction": "Name a colour.", "input": "", "output": "blue"},  # exact duplicate of 3
]
LOG = """\
2026-03-01 08:00:01 WARN disk sda1 is 91 percent full, clean it up soon
2026-03-01 08:05:01 WARN disk sda1 is 91 percent full, clean it up soon
2026-03-01 08:06:40 INFO backup of the database to the vault has finished well
2026-03-01 08:10:01 WARN disk sda1 is 92 percent full, clean it up soon
2026-03-01 09:06:41 INFO backup of the database to the vault has finished well
"""
HOLD = "Hold the button for ten seconds until the lamp blinks, then let go"
PASSAGES = [
    {"source": "forum", "title": "Reset", "text": HOLD},
    {"source": "manual", "title": "Reset", "text": f"{HOLD}."},  # near-duplicate of 0, and kept before it
    {"source": "forum", "title": "Reset", "text": HOLD.replace("ten", "five") + "."},
    {"source": "forum", "title": "+1", "text": "…"},
]

SURVEY = """\
id;country;liked;missed
1;AT;The talks were short and the café was quiet;More time for questions
2;DE;good;nothing
3;DE;Good!;Nothing
4;FR;The talks were short, and the café was quiet;more time for the questions
5;DE;good;coffee after six
6;FR;-;n/a
7;AT;;
"""
REVIEWS = {
    "train": {
        "text": [
            "A fine film, and far too short for what it has to say.",  # in the test split, too
            "I left before the end, and I was not the only one.",
            "I left before the end and was not the only one!",  # near-duplicate of 1
            "Nothing happens, for three hours.",
        ],
        "label": [1, 0, 0, 0],
    },
    "test": {
        "text": ["a fine film and far too short for what it has to say", "The music is worth it."],
        "label": [1, 1],
    },
}
TICKETS = """\
ticket,opened,text
T101,2026-03-01,I cannot log in since the update of this morning.
T102,2026-03-02,The invoice for March has the wrong address on it.
T103,2026-03-02,I can't log in since the update of this morning.
T104,2026-03-04,the invoice for  March has the wrong address on it
T105,2026-03-05,The invoice for April has the wrong address on it.
T106,2026-03-06,
T107,2026-03-07,How do I change my password?
T108,2026-03-08,How can I change my password?
T109,2026-03-09,The lamp came broken.
T110,2026-03-16,The lamp came broken again.
"""


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def make_data(folder: Path) -> None:
    """The files that the recipes begin with."""
    write_lines(folder / "chats.jsonl", CHATS)
    write_lines(folder / "orders.jsonl", ORDERS)
    write_lines(folder / "passages.jsonl", PASSAGES)
    (folder / "app.log").write_text(LOG)
    (folder / "survey.csv").write_bytes(SURVEY.replace("\n", "\r\n").encode("cp1252"))
    (folder / "visits.csv").write_bytes("id,country,Why this café?\r\n1,UK,It was near.\r\n".encode("cp1252"))
    (folder / "tickets.csv").write_text(TICKETS)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    splits = {name: Dataset.from_dict(rows, features=features) for name, rows in REVIEWS.items()}
    DatasetDict(splits).save_to_disk(folder / "reviews")


TITLE = re.compile(r"^## (.*)$", re.MULTILINE)
RECIPES = TITLE.findall(PAGE.read_text(encoding="utf-8"))
WITH_MODEL = "pandas in a notebook"


def run_python(block: str, names: dict[str, Any]) -> None:
    """Run a block of `>>>` lines with the names of those before it; each prints what is shown."""
    test = doctest.DocTestParser().get_doctest(block, names, PAGE.name, None, 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    results = runner.run(test, out=said.append, clear_globs=False)
    names.update(test.globs)
    assert results.attempted
    assert not results.failed, "".join(said)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=[pytest.mark.model] if title == WITH_MODEL else []) for title in RECIPES]
)
def test_each_recipe_works_as_shown(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    recipe = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1 + RECIPES.index(title)]
    blocks = re.findall(r"^```(\w+)\n.*?^```", recipe, re.MULTILINE | re.DOTALL)
    assert set(blocks) <= {"console", "pycon"}
    names: dict[str, Any] = {}
    for kind, block in re.findall(r"^```(console|pycon)\n(.*?^)```", recipe, re.MULTILINE | re.DOTALL):
        if kind == "pycon":
            run_python(block, names)
        else:
            run_session(list(sessions_of(f"```console\n{block}```")), tmp_path)
    assert blocks
