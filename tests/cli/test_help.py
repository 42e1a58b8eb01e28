"""`--help`: every flag in one group, the first ones first, and readable on a terminal of 80 columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from entropyguard.cli.app import app
from entropyguard.cli.options import GROUPS
from tests.conftest import Workspace

COMMANDS = ["init", "status", "verify", "explain", "sweep", "clean"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, model: Path) -> str:
    """What `entropyguard --help` prints on 80 columns."""
    ended = Workspace(tmp_path_factory.mktemp("help"), model, {"COLUMNS": "80"}).call("--help")
    assert (ended.code, ended.stderr) == (0, "")
    return ended.stdout


def sections(shown: str) -> dict[str, list[str]]:
    """The flags or commands under each heading, in order."""
    found: dict[str, list[str]] = {}
    for line in shown.splitlines():
        if heading := re.fullmatch(r"(\S[^:]*):", line):
            found[heading[1]] = []
        elif entry := re.match(r"  (?:-\w, )?(--[\w-]+|\w+)(?: \S+)?  +\S", line):
            found[next(reversed(found))].append(entry[1])
    return found


def test_every_flag_stands_in_exactly_one_group(shown: str) -> None:
    found = sections(shown)
    assert list(found) == [*GROUPS, "Commands"]
    flags = [flag for group in GROUPS for flag in found[group]]
    declared = {option.opts[0] for option in typer.main.get_group(app).params}
    assert sorted(flags) == sorted({*declared, "--help"})
    assert all(found.values())


def test_each_flag_names_its_group() -> None:
    """A flag that forgets to would stand under the last."""
    for option in typer.main.get_group(app).params:
        assert option.rich_help_panel in GROUPS, option.opts  # type: ignore[attr-defined]


def test_ten_flags_come_first_and_the_commands_last(shown: str) -> None:
    found = sections(shown)
    assert found["First of all"] == [
        "--input",
        "--output",
        "--text-column",
        "--checkpoint-dir",
        "--resume",
        "--no-semantic",
        "--dedup-threshold",
        "--near-threshold",
        "--keep",
        "--report",
    ]
    assert found["Commands"] == COMMANDS


def test_it_is_plain_text_of_80_columns_with_one_left_edge(shown: str) -> None:
    assert "\x1b" not in shown
    assert shown.isascii()
    assert max(map(len, shown.splitlines())) <= 80
    texts = [re.match(r" {2}(?:-\S+(?:, --\S+)?(?: \S+)? {2,}| {20,})", line) for line in shown.splitlines()]
    assert {len(match[0]) for match in texts if match} == {28}


def test_it_says_both_ways_to_call_it(shown: str) -> None:
    program = "python -m entropyguard"  # as the tests call it
    assert shown.startswith(
        f"Usage: {program} --input PATH --output FILE [OPTIONS]\n       {program} COMMAND [OPTIONS]\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_does(command: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = workspace.answer(command, "-h")
    assert ended.code == 0
    assert f" {command} [OPTIONS]" in ended.stdout.splitlines()[0]
    assert "Show this message and exit." in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
