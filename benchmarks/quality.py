"""What entropyguard and its peers take for duplicates, on data where the right answer is known, wholly or in part.

    python benchmarks/quality.py [--data DIR] [--rows 3000] [--peer-venv DIR ...]

Sentence pairs: precision, recall and F1 against human judgement. Short requests: rows removed from data whose rows
all mean to be different. Sentences in many scripts: which of them the model cannot read (pairs grow with the square
of the rows: --rows 100000 takes all), and what near_dedup removes of all of them. Injected edits: which kinds of copy
each tool finds, which changed rows it takes for copies, and what else it removes.
DIR holds stsb_multi.parquet (text_a, text_b, score, lang, split), clinc150.parquet and banking77.parquet (text,
cluster), tatoeba_laser.parquet (text_a, text_b, lang_a, lang_b), and gpteacher.parquet, debian_descriptions_en.parquet,
gsm8k.parquet and alpaca_libre.parquet (text); what is missing is skipped, and without one of the last four the edits go
into docstrings of the packages installed here.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path

from corpora import docstrings, read_texts
from measure import print_machine
from peers import Peer, add_peer_flags, distil_static_model, find_peers
from pipeline import packaged_model
from quality_edits import judge_edits, make_corpus, print_all
from quality_near_scripts import judge_near_scripts
from quality_pairs import judge_pairs
from quality_requests import judge_requests
from quality_scripts import judge_scripts

REQUESTS = ("clinc150", "banking77")
EDITED = ("gpteacher", "debian_descriptions_en", "gsm8k", "alpaca_libre")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with the data sets named above")
    parser.add_argument("--rows", type=int, default=3_000, help="rows (or pairs) of each data set [3000]")
    parser.add_argument("--only", choices=["pairs", "requests", "scripts", "edits"], help="one part alone")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the checkpoints there, and resume from them")
    add_peer_flags(parser)
    arguments = parser.parse_args()
    print_machine(["torch"])
    peers = find_peers(["semhash", "rensa", "datasketch", "text-dedup", "entropyguard"], arguments.peer_venv)
    temporary = tempfile.TemporaryDirectory(prefix="entropyguard-quality-")
    with contextlib.nullcontext(arguments.work) if arguments.work else temporary as name:
        work = Path(name)
        work.mkdir(parents=True, exist_ok=True)
        static = _static_model(peers, work)
        if arguments.only in (None, "pairs") and (pairs := _found(arguments.data, "stsb_multi")):
            judge_pairs(pairs, arguments.rows, peers, static, work)
        for data_set in REQUESTS if arguments.only in (None, "requests") else ():
            if requests := _found(arguments.data, data_set):
                judge_requests(requests, arguments.rows, peers, static, work)
        if arguments.only in (None, "scripts") and (sentences := _found(arguments.data, "tatoeba_laser")):
            judge_scripts(sentences, arguments.rows)
            judge_near_scripts(sentences, work)
        if arguments.only in (None, "edits"):
            _judge_all_edits(arguments.data, arguments.rows, peers, static, work)


def _judge_all_edits(data: Path | None, rows: int, peers: dict[str, Peer], static: Path | None, work: Path) -> None:
    found = [path for name in EDITED if (path := _found(data, name))]
    texts = {path.stem: read_texts(path, "text") for path in found} or {"docstrings": docstrings(2 * rows)}
    print_all([judge_edits(make_corpus(name, of, rows, rows // 50), peers, static, work) for name, of in texts.items()])


def _found(folder: Path | None, data_set: str) -> Path | None:
    path = None if folder is None else folder / f"{data_set}.parquet"
    if path is None or not path.exists():
        print(f"\n{data_set}: {'no --data' if path is None else f'{path} is not there'}, skipped")
        return None
    return path


def _static_model(peers: dict[str, Peer], work: Path) -> Path | None:
    """semhash's own default model has to be downloaded; this one is made of the same weights that entropyguard uses."""
    return distil_static_model(peers["semhash"], packaged_model(), work / "static") if "semhash" in peers else None


if __name__ == "__main__":
    main()
