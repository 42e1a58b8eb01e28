"""Names and values that break careless tools work, or are refused with a reason; nothing is run or fetched."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from entropyguard.project.pipeline import STAGES
from tests.conftest import TEXTS, Workspace

pytestmark = pytest.mark.pipeline

NAMES = [
    'it\'s "quoted" $(touch PWNED) `touch PWNED`.jsonl',
    "-dash;b&c|d > e.jsonl",
    "{brace} ${input} *[glob]?.jsonl",
    "\u017c\u00f3\u0142\u0107\nnew line \U0001f600.jsonl",
]

BLOCK_NETWORK = """
import os, socket, sys
from pathlib import Path

with Path(os.environ["WATCHED"]).open("a") as file:
    file.write(" ".join(sys.orig_argv) + "\\n")

def _refuse(*arguments, **named):
    raise OSError("the network was used")

_connect = socket.socket.connect

def _connect_locally(self, address):
    if self.family != socket.AF_UNIX:
        _refuse()
    return _connect(self, address)

socket.socket.connect = _connect_locally
socket.socket.connect_ex = _connect_locally
socket.getaddrinfo = socket.gethostbyname = _refuse
"""


def test_any_file_name_works_for_input_and_output(finished: Workspace) -> None:
    clean = finished.output.read_bytes()
    for name in NAMES:
        source = finished.folder / name
        finished.input.rename(source)
        output = finished.folder / f"out {name}"
        ended = finished.run("--resume", input=f"./{name}", output=f"./{output.name}")
        assert (ended.code, ended.ran) == (0, []), (name, ended.stderr)
        assert output.read_bytes() == clean
        source.rename(finished.input)
    assert not list(finished.folder.rglob("PWNED"))


@pytest.mark.parametrize(
    "name", ["with space & 'quotes' $(touch PWNED)", "\u017c\u00f3\u0142\u0107\n#"], ids=["shell", "unicode"]
)
def test_a_checkpoint_dir_may_have_any_name_without_braces(name: str, workspace: Workspace) -> None:
    ended = workspace.run(checkpoint_dir=workspace.folder / name)
    assert ended.code == 0, ended.stderr
    assert len(workspace.kept()) == 7
    assert not list(workspace.folder.rglob("PWNED"))


def test_column_names_and_values_with_yaml_and_quotes_work(workspace: Workspace) -> None:
    column = "te\"xt': {x} #"
    rows = [{column: text, "yes": "no: [1, ~]"} for text in TEXTS]
    workspace.input.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = workspace.run("--resume", text_column=column, required_columns="yes", keep="column:yes")
    assert ended.code == 0, ended.stderr
    assert [row[column] for row in workspace.kept()] == [TEXTS[at] for at in (0, 3, 4, 5, 6, 7, 9)]


@pytest.mark.model
def test_no_network_is_used(workspace: Workspace, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BLOCK_NETWORK)
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    workspace.environment |= {"PYTHONPATH": path, "WATCHED": str(tmp_path / "watched")}
    ended = workspace.run(model_name="all-MiniLM-L6-v2")
    assert ended.code == 0, ended.stderr
    assert len(workspace.kept()) == 7  # this model takes 2 and 8 for duplicates; a morning is no evening
    watched = (tmp_path / "watched").read_text()
    for process in (
        "-m entropyguard ",
        "-m entropyguard.project.process ",
        *(f" stages/{stage}.py\n" for stage in STAGES),
    ):
        assert process in watched


def test_a_line_over_the_limit_is_rejected_with_its_number(workspace: Workspace) -> None:
    with workspace.input.open("a") as file:
        file.write('{"text": "' + "x" * (129 << 20) + '"}\n{"text": "the farm has a gate"}\n')
    ended = workspace.run("--no-semantic")
    assert ended.code == 0, ended.stderr
    assert "1 rejected" in ended.stderr
    (rejected,) = (workspace.checkpoints / "rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["line"] == 11
    assert len(rejected) < 10_000


def test_the_output_may_lie_on_another_filesystem(finished: Workspace) -> None:
    elsewhere = Path("/dev/shm")  # noqa: S108  a filesystem of its own on every Linux
    with tempfile.TemporaryDirectory(dir=elsewhere) as folder:
        output = Path(folder) / "cleaned.jsonl"
        output.write_text("the previous output\n")
        assert output.stat().st_dev != finished.folder.stat().st_dev
        assert finished.run("--resume", output=output).code == 0
        assert len(output.read_text().splitlines()) == 7
        assert [path.name for path in Path(folder).iterdir()] == ["cleaned.jsonl"]
