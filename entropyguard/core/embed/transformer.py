"""Sentence encoders on torch, with the same bits for a text whatever is embedded beside it.

A product's bits may depend on the shapes of its factors. So every batch has one of a few fixed shapes, chosen by
the window's own length: padded to its bucket's width, filled up with dummy rows to the bucket's height. Threads work
side by side, each on a batch of its own: no product is divided among them, and none waits for the others.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import xxhash
from torch.nn import functional

from entropyguard.core.arrays import Floats, Ints
from entropyguard.core.embed.bert import Bert, dimension_of, plain_bert
from entropyguard.core.embed.hardware import Hardware, find_hardware
from entropyguard.core.embed.model import model_fingerprint
from entropyguard.core.embed.scripts import COVERAGE_VERSION
from entropyguard.core.embed.tokenizer import TextTokenizer, Tokens, read_tokenizer
from entropyguard.core.errors import UsageError

# All tokens of a batch go through the same products, whatever its width: so narrow steps cost nothing but a few dummy
# rows more, and save a tenth of all tokens where texts are short.
_WIDTHS = (
    *(*range(4, 32, 2), *range(32, 64, 4), *range(64, 256, 8), *range(256, 512, 32)),
    *(*range(512, 2048, 128), *range(2048, 8193, 512)),
)
# Tokens of a batch, dummies included: the same for any number of threads, since they decide the bits. On a processor a
# token costs the same from 256 to 768 tokens a batch; small ones leave fewer dummy rows to compute.
_BATCH_TOKENS = {"cpu": 256, "cuda": 16_384}
_GPU_WORKERS = 2
_UNIT_BYTES = {"cpu": 1 << 18, "cuda": 1 << 24}


Forward = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class _Parts:
    """What a way of loading gives: what loads forward(ids, mask) -> unit vectors, and what decides its bits."""

    load: Callable[[], Forward]
    tokenizer: TextTokenizer
    dimension: int
    pad: int
    versions: dict[str, str]


class TransformerEncoder:
    """The encoder of one folder; see `entropyguard.core.embed.encoder.Encoder`.

    own_forward: False loads through sentence_transformers even where `Bert` would do.
    """

    def __init__(self, folder: Path, threads: int | None = None, *, own_forward: bool = True) -> None:
        hardware = find_hardware()
        self.folder = folder
        # Asking torch also settles the number for the calling thread, before the workers are given theirs.
        threads = threads or torch.get_num_threads()
        bert = plain_bert(folder) if own_forward else None
        load = partial(_load_bert, *bert) if bert else _load_with_library
        self._parts = load(folder, hardware.device)
        self._forward: Forward | None = None
        self.dimension = self._parts.dimension
        window = self._parts.tokenizer.window or _WIDTHS[-1]
        self._widths = [*(width for width in _WIDTHS if width < window), window]
        self._device, self._batch_tokens = hardware.device, _BATCH_TOKENS[hardware.device]
        self.unit_bytes = _UNIT_BYTES[hardware.device]
        self.facts = self._all_facts(hardware)
        decided = xxhash.xxh3_128_hexdigest(json.dumps(self.facts, sort_keys=True).encode())
        self.fingerprint = f"transformer-{model_fingerprint(folder)}-{decided}-float32"
        # The library's models are not known to bear several threads. A GPU computes one batch while the next is filled.
        self.on_gpu = not (on_cpu := self._device == "cpu")
        self._workers = 1 if not bert else threads if on_cpu else _GPU_WORKERS
        each = threads // self._workers if on_cpu else 1
        self._pool = ThreadPoolExecutor(self._workers, initializer=torch.set_num_threads, initargs=(each,))

    def _all_facts(self, hardware: Hardware) -> dict[str, str | None]:
        """What decides the bits beside the model's files."""
        scheme = f"bert 2, reading {COVERAGE_VERSION}, widths {self._widths}, {self._batch_tokens} tokens a batch"
        return {"scheme": scheme, "torch": torch.__version__, **hardware.facts, **self._parts.versions}

    def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
        """Token ids in windows, and which texts cannot be embedded."""
        return self._parts.tokenizer(texts, max_windows)

    def encode(self, tokens: Tokens, wanted: Ints) -> Iterator[tuple[Ints, Floats]]:
        """Unit vectors of the wanted windows, a batch at a time, each with the positions it is for."""
        if not len(wanted):
            return
        self._forward = self._forward or self._parts.load()  # where no text can be read the weights are not
        buckets = np.searchsorted(self._widths, tokens.lengths()[wanted])
        batches = []
        for bucket in np.unique(buckets):
            width = self._widths[bucket]
            members, height = wanted[buckets == bucket], max(1, self._batch_tokens // width)
            batches += [(members[start : start + height], (height, width)) for start in range(0, len(members), height)]
        yield from self._side_by_side(partial(self._encode_batch, self._forward, tokens), batches)

    def _side_by_side(
        self, work: Callable[..., tuple[Ints, Floats]], batches: Iterable[Any]
    ) -> Iterator[tuple[Ints, Floats]]:
        """What `work` makes of each batch, in their order; a few are under way at any time."""
        waiting: deque[Future[tuple[Ints, Floats]]] = deque()
        try:
            for batch in batches:
                waiting.append(self._pool.submit(work, *batch))
                if len(waiting) > 2 * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _encode_batch(
        self, forward: Forward, tokens: Tokens, batch: Ints, shape: tuple[int, int]
    ) -> tuple[Ints, Floats]:
        """A batch and its vectors, computed in exactly this shape (rows, width)."""
        ids, mask = tokens.padded(batch, shape, self._parts.pad)
        with torch.inference_mode():
            inputs = torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)
            vectors: Floats = forward(*inputs)[: len(batch)].cpu().numpy()
        return batch, vectors


def _load_bert(pooling: str, window: int, folder: Path, device: str) -> _Parts:
    tokenizer = TextTokenizer(read_tokenizer(folder), window, special=True)
    load = partial(Bert, folder, pooling, device)
    return _Parts(load, tokenizer, dimension_of(folder), 0, {"tokenizers": tokenizers.__version__})


def _load_with_library(folder: Path, device: str) -> _Parts:
    """Any other make-up, through sentence_transformers' own loader: no network, no pickle, none of the model's code."""
    import sentence_transformers  # takes seconds to load, and few models need it
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        model = sentence_transformers.SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "torch_dtype": "float32"},
        ).eval()
    except Exception as error:  # whatever it raises, the folder is the cause
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"sentence_transformers cannot load the model in {folder}: {reason}") from error
    backend = getattr(getattr(model, "tokenizer", None), "backend_tokenizer", None)
    if backend is None or not hasattr(model[0], "auto_model"):
        raise UsageError(f"The model in {folder} is no text transformer with a tokenizer.json. Use another model.")
    prompt = model.prompts.get(model.default_prompt_name) or ""
    if prompt and not all(getattr(module, "include_prompt", True) for module in model):
        raise UsageError(f"The model in {folder} leaves its prompt out of the vector; that is not supported.")
    versions = {library.__name__: library.__version__ for library in (sentence_transformers, transformers, tokenizers)}
    tokenizer = TextTokenizer(backend, _library_window(model), special=True, prompt=prompt)
    dimension, pad = int(model.get_embedding_dimension()), int(model.tokenizer.pad_token_id or 0)
    return _Parts(lambda: partial(_library_forward, model), tokenizer, dimension, pad, versions)


def _library_forward(model: Any, ids: Any, mask: Any) -> Any:
    features = model({"input_ids": ids, "attention_mask": mask.long()})
    return functional.normalize(features["sentence_embedding"], dim=1)


def _library_window(model: Any) -> int:
    """Tokens the model takes: what its folder says, and never more than it has positions for."""
    positions = getattr(model[0].auto_model.config, "max_position_embeddings", None)
    return int(min(size for size in (model.max_seq_length, positions) if size))
