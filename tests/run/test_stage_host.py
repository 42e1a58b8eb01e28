"""A stage host: scripts that it runs end as they would by themselves, and whom it refuses runs by itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entropyguard.project.beside import ADDRESS, BESIDE
from entropyguard.project.pipeline import STAGES
from entropyguard.run.ahead import HOST
from entropyguard.run.stage.host import others_wait
from entropyguard.run.stage.preparations import modules_of_stages
from entropyguard.run.stage.wanted import host_variables
from tests.faults.harness import wait_until
from tests.run.test_imports import loaded

_SCRIPT = """
import os, signal, sys, time
from entropyguard.run.stage.handover import hand_over
hand_over()
"""


@dataclass
class Host:
    """A running host, and a folder for scripts."""

    process: subprocess.Popen[bytes]
    address: str
    folder: Path
    script: str = "work.py"

    def start(self, body: str, *flags: str, new_session: bool = False) -> subprocess.Popen[str]:
        """Start a script that hands itself over, as DVC does: what follows is its work."""
        (self.folder / "scripts").mkdir(exist_ok=True)
        (self.folder / "scripts" / self.script).write_text(_SCRIPT + body)
        return subprocess.Popen(
            [sys.executable, *flags, f"scripts/{self.script}", "an argument"],
            cwd=self.folder,
            env={**os.environ, ADDRESS: self.address, "WORD": "ü\n="},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=new_session,
        )

    def run(self, body: str, *flags: str, new_session: bool = False) -> tuple[int, str, str]:
        """Exit code, stdout, stderr of such a script."""
        process = self.start(body, *flags, new_session=new_session)
        stdout, stderr = process.communicate(timeout=60)
        return process.returncode, stdout, stderr


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")
        listening.listen()
        command = [sys.executable, "-P", "-m", "entropyguard.run.stage", str(listening.fileno())]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
        address = listening.getsockname()[1:].decode()
    yield Host(process, address, tmp_path)
    process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('a reason')", 1, "a reason\n"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM, ""),
        ("os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)", -signal.SIGKILL, ""),
    ],
)
def test_a_script_ends_as_its_work_did(body: str, code: int, said: str, host: Host) -> None:
    assert host.run(body) == (code, "", said)


def test_an_error_is_shown_where_it_happened(host: Host) -> None:
    code, _, stderr = host.run("1 / 0")
    assert code == 1
    assert 'scripts/work.py", line' in stderr
    assert "ZeroDivisionError" in stderr


def test_a_script_finds_what_it_would_find_by_itself(host: Host) -> None:
    shown = f"print([__name__, os.getcwd(), sys.argv, os.environ['WORD'], sys.path[0], {ADDRESS!r} in os.environ])"
    by_itself = host.run(shown, new_session=True)
    assert by_itself[0] == 0
    assert host.run(shown) == by_itself
    assert host.run("print(os.getppid())")[1] == f"{host.process.pid}\n"


def test_a_process_of_another_session_is_refused_and_does_its_work_by_itself(host: Host) -> None:
    code, stdout, _ = host.run("print(os.getppid())", new_session=True)
    assert (code, stdout) == (0, f"{os.getpid()}\n")


def test_a_script_whose_host_has_gone_does_its_work_by_itself(host: Host) -> None:
    host.process.communicate(timeout=60)
    assert host.run("print(os.getppid())") == (0, f"{os.getpid()}\n", "")


def test_a_host_that_dies_takes_the_work_along_and_the_script_says_so(host: Host) -> None:
    script = host.start("print(os.getpid(), flush=True); time.sleep(600)")
    assert script.stdout is not None
    work = int(script.stdout.readline())
    host.process.kill()
    script.communicate(timeout=60)
    assert script.returncode == -signal.SIGKILL
    wait_until(lambda: not _lives(work), "the work went on")


def test_the_work_ends_with_the_script_that_asked_for_it(host: Host) -> None:
    script = host.start("print(os.getpid(), flush=True); time.sleep(600)")
    assert script.stdout is not None
    work = int(script.stdout.readline())
    script.kill()
    script.communicate(timeout=60)
    wait_until(lambda: not _lives(work), "the work went on")
    assert host.run("sys.exit(3)")[0] == 3  # the host did not


def test_a_host_leaves_no_process_when_it_is_told_to_end(host: Host) -> None:
    script = host.start("print(os.getpid(), flush=True); time.sleep(600)")
    assert script.stdout is not None
    work = int(script.stdout.readline())
    host.process.communicate(timeout=60)
    assert host.process.returncode == 0
    assert not _lives(work)
    script.communicate(timeout=60)


def test_a_script_that_hands_itself_over_loads_nothing_slow_and_nothing_of_the_library(host: Host) -> None:
    _, _, stderr = host.run("", "-X", "importtime")
    assert "entropyguard.run.stage.handover" in stderr
    assert loaded(stderr) == set()
    assert "entropyguard.core" not in stderr
    assert "pathlib" not in stderr


def test_a_host_imports_what_the_scripts_do_without_starting_threads_that_work() -> None:
    modules = modules_of_stages()
    assert {"entropyguard.core.ingest.ingest", "entropyguard.core.report.page"} <= set(modules)
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]\n"
    code += (
        "import os; print(*(open(f'/proc/self/task/{id}/comm').read().strip() for id in os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, check=True)
    known = {"python", "jemalloc_bg_thd", "polars-ooc-clea"}
    # One of Python, and those of OpenBLAS, which bear its name: no pool of polars, pyarrow or torch.
    assert set(done.stdout.split()) - known <= {Path(sys.executable).name[:15]}, done.stdout
    assert others_wait()


def test_a_run_has_a_host_where_a_stage_will_run_and_a_model_ready_where_embed_will() -> None:
    from entropyguard.core.params import Params
    from entropyguard.core.yaml_text import load_yaml
    from entropyguard.project.pipeline import packaged_files

    values = load_yaml(packaged_files()["params.yaml"])
    params = Params.from_dict(values)
    off = Params.from_dict({**values, "semantic": {**values["semantic"], "enabled": False}})
    assert host_variables([], params) == {}
    assert host_variables(["export"], params) == {BESIDE: HOST}
    assert host_variables(STAGES, off) == {BESIDE: HOST}
    assert host_variables(STAGES, params) == {BESIDE: f"{HOST}\nembed\n{params.embed.model}"}
    assert host_variables(STAGES, params, threads=3) == {BESIDE: f"{HOST}\nembed\n{params.embed.model}\n3"}


@pytest.mark.parametrize("there", [True, False])
def test_embed_finds_the_model_loaded_where_that_could_be_done(there: bool, host: Host, model: Path) -> None:
    folder = model if there else host.folder / "gone"
    assert host.process.stdin is not None
    host.process.stdin.write(f"embed\n{folder}\n2".encode())
    host.process.stdin.flush()
    wait_until(lambda: _children(host.process.pid), "nothing was got ready")
    host.script = "embed.py"
    body = f"""
from pathlib import Path
from entropyguard.core.embed.loader import last_loaded
before = "tokenizers" in sys.modules
try:
    print(before, last_loaded(Path({str(folder)!r}), 2).dimension > 0)
except Exception as problem:
    print(before, problem)
"""
    code, stdout, _ = host.run(body)
    assert code == 0
    assert stdout == "True True\n" if there else stdout.startswith("False ")


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
