"""Every session shown in the docs is run: the commands work and print what is shown.

A ```console block is a session: `$ ` starts a command, the lines below are its output. A line `…` stands for
any lines; durations, sizes and clock times are compared as such, not by value. Decimal fractions may be off by
`TOLERANCE`, as a similarity is from one processor to the next; all else is compared to the letter. Sessions of one
page share a folder, in which `data.jsonl` is a small real corpus; blocks marked `console skip` need a network, hours,
or another machine. Polish pages show what the English ones show, to the letter, so only these are run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import TEXTS

ROOT = Path(__file__).parent.parent
PAGES = ["docs/checkpoint-resume.md", "docs/duplicates.md"]

TOLERANCE = 0.00001
"""Similarities are given to six decimals; another processor moves the last of them by one or two."""

VARIABLE = [
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<when>"),
    (r"\d[\d,.]* (?:bytes|KB|MB|GB)", "<size>"),
    (r"\d[\d,]*\.\d s\b", "<seconds>"),
    (r" {2,}", "  "),
]

PROGRESS = re.compile(r"stage \d of 7: .*")
"""The line that a run prints every half minute, of which a slow machine may need some."""


@dataclass(frozen=True)
class Step:
    """A command and what it should print."""

    command: str
    output: list[str]


def sessions(page: Path) -> Iterator[Step]:
    """The steps of a page's console blocks, in order."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.replace("\\\n", "").splitlines()
            yield Step(command, [line for line in output if line.strip()])


def settled(line: str) -> str:
    """A line with what varies from run to run replaced by its kind."""
    for pattern, name in VARIABLE:
        line = re.sub(pattern, name, line)
    return line.strip()


def same(expected: str, printed: str) -> bool:
    """Whether two lines are equal but for what varies from run to run, their decimal fractions within `TOLERANCE`."""
    ours, theirs = (re.split(r"(\d+\.\d+)", settled(line)) for line in (expected, printed))
    numbers = zip(ours[1::2], theirs[1::2], strict=True)
    return ours[::2] == theirs[::2] and all(abs(float(one) - float(other)) <= TOLERANCE for one, other in numbers)


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the printed lines are the expected ones, `…` standing for any lines."""
    if not expected:
        return not printed
    if expected[0].strip() == "…":
        return any(matches(expected[1:], printed[start:]) for start in range(len(printed) + 1))
    return printed != [] and same(expected[0], printed[0]) and matches(expected[1:], printed[1:])


@pytest.mark.parametrize(
    ("expected", "printed", "alike"),
    [
        (["0.96  0.965885  row 4"], ["0.96   0.965883  row 4"], True),
        (["0.96  0.965885  row 4"], ["0.96   0.965894  row 4"], True),
        (["0.96  0.965885  row 4"], ["0.96   0.965896  row 4"], False),
        (["0.96  0.965885  row 4"], ["0.97   0.965885  row 4"], False),
        (["0.96  0.965885  row 4"], ["0.96   0.965885  row 5"], False),
        (["10 rows in: 6 kept (6.5 s)"], ["10 rows in: 6 kept (0.9 s)"], True),
        (["10 rows in: 6 kept (6.5 s)"], ["10 rows in: 7 kept (6.5 s)"], False),
        (["a", "…", "d"], ["a", "b", "c", "d"], True),
        (["a", "…", "d"], ["a", "d"], True),
        (["a", "…", "d"], ["a", "b", "c"], False),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
    ],
)
def test_what_counts_as_the_output_that_is_shown(expected: list[str], printed: list[str], alike: bool) -> None:
    assert matches(expected, printed) is alike


@pytest.mark.pipeline
@pytest.mark.model
@pytest.mark.parametrize("page", PAGES)
def test_the_sessions_shown_are_true(page: str, tmp_path: Path) -> None:
    rows = (json.dumps({"id": at, "text": text}) for at, text in enumerate(TEXTS))
    (tmp_path / "data.jsonl").write_text("".join(row + "\n" for row in rows))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "COLUMNS": "120", "LC_ALL": "C.UTF-8"}
    steps = list(sessions(ROOT / page))
    assert steps
    for step in steps:
        done = subprocess.run(
            ["/bin/sh", "-c", step.command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        printed = [line for line in done.stdout.splitlines() if line.strip() and not PROGRESS.fullmatch(line)]
        assert matches(step.output, printed), f"$ {step.command}\n{done.stdout}"


def test_the_example_of_the_python_api_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / PAGES[0]).read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    exec(compile(example, "docs/checkpoint-resume.md", "exec"), {})  # noqa: S102  our own page


@pytest.mark.model
def test_the_examples_of_dedup_are_true() -> None:
    for page, names in (("docs/python.md", {}), ("README.md", {"frame": pd.DataFrame({"text": TEXTS})})):
        (example,) = re.findall(r"^ *```python\n(.*?)^ *```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
        exec(compile(textwrap.dedent(example), page, "exec"), names)  # noqa: S102  our own page


@pytest.mark.parametrize("page", PAGES)
def test_the_polish_page_shows_the_same_sessions(page: str) -> None:
    english, polish = (list(sessions(ROOT / one)) for one in (page, page.replace("docs/", "docs/pl/")))
    assert english == polish
