"""A tiny static model for tests: loads in milliseconds, and its vectors can be reasoned about.

Each word has a direction of its own, taken from a hash; small words ("the", "a", ".") weigh a tenth of the others.
So the cosine of two texts is about the share of weighty words they have in common: texts that differ in small
words only are above 0.97, one weighty word in ten different gives about 0.9, unrelated texts lie near 0.
Upper and lower case are the same; a word that is not in the vocabulary is unknown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel

DIMENSION = 64
SMALL_WORDS = (
    "a an and are as at be by for from in is it its of on or that the this to was were with . , ! ? : ; ' - ( )"
)
WORDS = """
able about above accept account across act add address after again age ago air all allow almost alone along already
also always animal answer any apple area arm army around arrive art ask away baby back bad bag ball bank base basket
beach bear beautiful because become bed before begin behind believe below best better between big bird birds bit black
blue board boat body book books both bottom box boy branch bread break bridge bright bring brother brown build bus
business busy but buy cake call came camera can capital car card care carry case castle cat catch cats cause cell
centre chair chance change cheap child children choose church circle city clean clear climb clock close cloud coat
code coffee cold colour come common complete computer control cook cool copy corn corner cost count country course
cover cow cross cry cup cut dance danger dark data day days dead deal dear decide deep desk die different dinner
discover do doctor document dog dogs door down dozen draw dream dress drink drinks drive drop dry duplicate each ear
early earth east easy eat eats edge egg eight electric end energy engine enough enter equal even evening every example
eye face fact fall family famous far farm fast father feel few field fight file fill find fine finger finish fire
first fish five floor flower fly follow food foot forest forget form found four fox free french fresh friend front
fruit full game garden gate gave give glad glass go gold good grass great green ground group grow hair half hand happy
hard hat have hear heart heavy hello help her here high hill him his history hold hole home hope horse hospital hot
hour house houses how hundred ice idea important inside iron island job join jump jumped jumping jumps just keep key
kind king kitchen know lake land language large last late laugh law lazy lead learn leave left leg less let letter
library life light like liked line lines lion list listen little live lives long look looked lose love loves low lunch
machine made make man many map mark market mat may mean meat meet men metal middle milk million mind minute mix model
money month moon more morning most mother mountain mouse mouth move much music my name nation near need never new next
nice night nine no noon north nose not note nothing now number ocean office often oil old once one only open orange
order other our out over own page paint paper parent paris park part party pass past pattern pay peace pen people
person phone photo picture piece place plan plane plant play plays please point police poor port possible potato power
present price prince print problem process public pull push put queen question quick quickly quiet rain ran reach read
reads ready real reason record red remember repeat rest rice rich ride right ring rise river road rock room round row
rows run runs sad safe said sail salt same sample sand sat saw say school science sea second see seed sell send
sentence set seven shall shape share she sheep ship shirt shoe shop short should show shut side silver simple sing
sister sit sits six size skin sky sleep sleeps slow slowly small smile snow soft soldier some son song soon sound soup
south space speak special speed spell spring square stand stands star start station stay step still stone stop store
story street strong student students study sugar summer sun sure swim table take talk talked tall tea teach team tell
ten test text texts than their them then there they thing think thousand three through throw time tired today together
told tomorrow too took top town train travel tree trees true try turn twice two uncle under unique until up use valley
value very village visit voice wait walk walked wall want wanted war warm wash watch water way we wear weather week
well went west what wheel when where which while white who why wide wife wild will wind window winter wish woman women
wonder wood wooden word words work works world write writes wrong year years yellow yes yesterday yet you young your
zero
"""


def write_static_model(folder: Path, *, window: int = 256, words: Sequence[str] = ()) -> Path:
    """Write the model into `folder` (made if it is missing) and return it.

    window: the most tokens a text may have before it is over_long. words: further words to know. The vocabulary
    also has the numbers 0 to 999 and single letters.
    """
    weights = {"[UNK]": 0.0} | dict.fromkeys(SMALL_WORDS.split(), 0.1)
    letters, numbers = "abcdefghijklmnopqrstuvwxyz", [str(number) for number in range(1000)]
    for word in [*WORDS.split(), *letters, *numbers, *(word.lower() for word in words)]:
        weights.setdefault(word, 1.0)
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(weights)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.stack([weight * _direction(word) for word, weight in weights.items()])
    save_file({"embeddings": table.astype(np.float32)}, folder / "model.safetensors")
    config = {"model_type": "model2vec", "hidden_dim": DIMENSION, "max_length": window, "normalize": True}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _direction(word: str) -> npt.NDArray[np.float64]:
    """A unit vector that hangs on the word alone."""
    digest = hashlib.shake_256(word.encode()).digest(DIMENSION)
    vector = np.frombuffer(digest, dtype=np.int8).astype(np.float64)
    unit: npt.NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit
