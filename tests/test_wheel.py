"""The wheel carries the pipeline: built and installed offline, it serves a user's repo."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from entropyguard.project.pipeline import packaged_files
from tests.conftest import Workspace

pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel; its dependencies are borrowed from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    (purelib,) = (folder / "env" / "lib").glob("python*/site-packages")
    # Behind the new environment's own folder, so that the wheel is found first.
    (purelib / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # A plain install has no extra, whatever this environment has.
    (purelib / "no_extra.pth").write_text("import sys; sys.modules['langchain_text_splitters'] = None\n")
    install = ["-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    dvc = folder / "env" / "bin" / "dvc"
    dvc.write_text(f"#!{python}\nfrom dvc.cli import main\nraise SystemExit(main())\n")
    dvc.chmod(0o755)
    return folder / "env" / "bin"


def test_the_installed_wheel_runs_a_pipeline(installed: Path, workspace: Workspace) -> None:
    environment = {**os.environ, "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}

    def sh(command: str) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=workspace.folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    where = sh("python -c 'import entropyguard; print(entropyguard.__file__)'")
    assert str(installed.parent) in where
    assert "--checkpoint-dir" in sh("entropyguard --help")
    sh("git init -q && dvc init -q")
    sh(f"entropyguard init --input data.jsonl --model-name {workspace.model}")
    for name, path in packaged_files().items():
        if name != "params.yaml":
            assert (workspace.folder / name).read_bytes() == path.read_bytes()
    sh("dvc repro -q && dvc status -q")
    sh(f"entropyguard --input data.jsonl --output out.jsonl --checkpoint-dir ck --model-name {workspace.model}")
    assert (workspace.folder / "out.jsonl").read_bytes() == (workspace.folder / "cleaned.jsonl").read_bytes()
