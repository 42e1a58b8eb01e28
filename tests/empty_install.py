"""Install the wheel into an environment that holds nothing else, from the package index, and use it once.

Not part of the suite, which is offline: `make wheel-check` runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Build, install, `--help`, and a small run with the packaged model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "env", with_pip=True)
        program = folder / "env" / "bin"
        run(program / "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", "torch")
        run(program / "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
        run(program / "entropyguard", "--help")
        texts = ["How do I learn to swim?", "how do I  learn to swim?", "How do I learn swimming?", "The sky is blue."]
        data = folder / "data.jsonl"
        data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        run(
            program / "entropyguard",
            "--input",
            data,
            "--output",
            folder / "out.jsonl",
            "--checkpoint-dir",
            folder / "c",
        )
        split: list[str | Path] = [
            program / "entropyguard",
            "--input",
            data,
            "--output",
            folder / "split.jsonl",
            "--chunk-size",
            "9",
        ]
        refused = subprocess.run(split, check=False, capture_output=True, text=True, cwd=folder)
        if refused.returncode != 2 or "entropyguard[chunks]" not in refused.stderr:
            sys.exit(f"without the extra --chunk-size ended with {refused.returncode}: {refused.stderr}")
        kept = [json.loads(line)["text"] for line in (folder / "out.jsonl").read_text().splitlines()]
        if texts[0] not in kept or texts[1] in kept:
            sys.exit(f"the installed wheel kept {kept}")
    sys.stdout.write("the wheel works in an environment of its own\n")


def run(*command: str | Path) -> None:
    """Run a command from a folder that is not the checkout."""
    subprocess.run([str(part) for part in command], check=True, cwd=tempfile.gettempdir(), stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
