"""A data repo: git, DVC and our pipeline in a folder of a user's."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from entropyguard.project.pipeline import STAGES
from tests.conftest import copy_all, finished_stages


@dataclass(frozen=True)
class Repo:
    """A git + DVC repo of a user."""

    folder: Path

    def copied(self, folder: Path) -> Repo:
        """A copy in `folder`."""
        copy_all(self.folder, folder)
        return Repo(folder)

    def sh(self, command: str, code: int | None = 0) -> str:
        """Run a shell command with this environment active; its stdout and stderr."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=user_environment(self.folder),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert code is None or done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def repro(self, command: str = "dvc repro") -> list[str]:
        """The stages that a command ran."""
        before = finished_stages(self.folder)
        self.sh(command)
        after = finished_stages(self.folder)
        return [stage for stage in STAGES if after.get(stage) != before.get(stage)]


def user_environment(home: Path) -> dict[str, str]:
    """As after `source .venv/bin/activate`, with a git identity and nothing of the machine's settings."""
    identity = {f"GIT_{who}_{what}": "someone" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home.with_name(home.name + "-site")),
        **identity,
    }
