"""What entropyguard and its peers take for duplicates, on data where the right answer is known, wholly or in part.

    python benchmarks/quality.py [--data DIR] [--rows 3000] [--peer-venv DIR ...]

Sentence pairs: precision, recall and F1 against human judgement. Short requests: rows removed from data whose rows
all mean to be different. Sentences in many scripts: which of them the model cannot read (pairs grow with the square
of the rows: --rows 100000 takes all). Injected edits: which kinds of copy each tool finds, and what else it removes.
Then: what a lexical stage would add. DIR holds stsb_multi.parquet (text_a, text_b, score, lang, split),
clinc150.parquet and banking77.parquet (text, cluster), tatoeba_laser.parquet (text_b, lang_b) and gpteacher.parquet
(text); what is missing is skipped, and without gpteacher the edits go into docstrings of the packages installed here.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from corpora import distinct, docstrings, read_texts
from edits import inject
from measure import print_machine
from peers import Peer, add_peer_flags, distil_static_model, find_peers
from pipeline import packaged_model
from quality_edits import Corpus, judge_edits
from quality_pairs import judge_pairs
from quality_requests import judge_requests
from quality_scripts import judge_scripts

REQUESTS = ("clinc150", "banking77")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="DIR", help="a folder with the data sets named above")
    parser.add_argument("--rows", type=int, default=3_000, help="rows (or pairs) of each data set [3000]")
    parser.add_argument("--only", choices=["pairs", "requests", "scripts", "edits"], help="one part alone")
    add_peer_flags(parser)
    arguments = parser.parse_args()
    print_machine(["torch"])
    peers = find_peers(["semhash", "rensa", "datasketch", "entropyguard"], arguments.peer_venv)
    with tempfile.TemporaryDirectory(prefix="entropyguard-quality-") as name:
        work = Path(name)
        static = _static_model(peers, work)
        if arguments.only in (None, "pairs") and (pairs := _found(arguments.data, "stsb_multi")):
            judge_pairs(pairs, arguments.rows, peers, static, work)
        for data_set in REQUESTS if arguments.only in (None, "requests") else ():
            if requests := _found(arguments.data, data_set):
                judge_requests(requests, arguments.rows, peers, static, work)
        if arguments.only in (None, "scripts") and (sentences := _found(arguments.data, "tatoeba_laser")):
            judge_scripts(sentences, arguments.rows)
        if arguments.only in (None, "edits"):
            instructions = _found(arguments.data, "gpteacher")
            texts = read_texts(instructions, "text") if instructions else docstrings(2 * arguments.rows)
            title = "gpteacher" if instructions else "docstrings"
            base = distinct(texts)
            chosen = sorted(random.Random(0).sample(range(len(base)), min(arguments.rows, len(base))))
            corpus = Corpus(*inject([base[at] for at in chosen], arguments.rows // 10))
            judge_edits(title, corpus, peers, static, work)


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
