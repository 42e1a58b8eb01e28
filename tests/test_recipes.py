"""Every session of docs/recipes.md is run, as those of the other pages, over the data that each recipe is about."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

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


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def make_data(folder: Path) -> None:
    """The files that the recipes begin with."""
    write_lines(folder / "chats.jsonl", CHATS)
    write_lines(folder / "orders.jsonl", ORDERS)
    write_lines(folder / "passages.jsonl", PASSAGES)
    (folder / "app.log").write_text(LOG)


RECIPES = re.findall(r"^## (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.pipeline
@pytest.mark.parametrize("title", RECIPES)
def test_each_recipe_works_as_shown(title: str, tmp_path: Path) -> None:
    make_data(tmp_path)
    recipe = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1 + RECIPES.index(title)]
    steps = list(sessions_of(recipe))
    assert steps
    run_session(steps, tmp_path)
