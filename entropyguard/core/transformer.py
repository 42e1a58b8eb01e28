"""Sentence encoders on torch, with the same bits for a text whatever is embedded beside it.

A product's bits may hang on the shapes of its factors. So every batch has one of a few fixed shapes, chosen by
the text's own length: padded to its bucket's width, filled up with dummy rows to the bucket's height.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tokenizers
import torch
import xxhash
from torch.nn import functional

from entropyguard.core.bert import Bert, plain_bert
from entropyguard.core.errors import UsageError
from entropyguard.core.model import model_fingerprint
from entropyguard.core.tokens import TextTokenizer, Tokens, read_tokenizer

# Fine enough that padding adds a tenth at most, few enough that batches fill up.
_WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)
# In float32 a token costs the same from 512 tokens a batch up; small batches leave fewer dummy rows to compute.
_BATCH_TOKENS = 1_024
_SCHEME = f"bert 1, widths {_WIDTHS}, {_BATCH_TOKENS} tokens a batch, float32"
_CPU_FACTS = ("vendor_id", "cpu family", "model", "stepping", "flags", "CPU implementer", "CPU part", "Features")
_KERNEL_SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
)


@dataclass(frozen=True)
class _Parts:
    """What a way of loading gives: forward(ids, mask) -> unit vectors, and what decides its bits."""

    forward: Callable[[Any, Any], Any]
    tokenizer: TextTokenizer
    dimension: int
    pad: int
    prompt: str
    versions: dict[str, str]


class TransformerEncoder:
    """The encoder of one folder; see `entropyguard.core.encoder.Encoder`.

    own_forward: False loads through sentence_transformers even where `Bert` would do.
    """

    def __init__(self, folder: Path, threads: int | None = None, *, own_forward: bool = True) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        bert = plain_bert(folder) if own_forward else None
        parts = _load_bert(folder, *bert) if bert else _load_with_library(folder)
        self._parts = parts
        self.dimension = parts.dimension
        window = parts.tokenizer.window or _WIDTHS[-1]
        self._widths = [*(width for width in _WIDTHS if width < window), window]
        facts = {"scheme": _SCHEME, "window": window, "torch": torch.__version__, "device": "cpu", "cpu": _cpu()}
        facts |= parts.versions | {"capability": torch.backends.cpu.get_cpu_capability()}
        facts |= {switch: os.environ.get(switch) for switch in _KERNEL_SWITCHES}
        digest = xxhash.xxh3_128(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        self.fingerprint = f"transformer-{model_fingerprint(folder)}-{digest}"

    def tokenise(self, texts: Sequence[str]) -> Tokens:
        """Token ids, and which texts cannot be embedded."""
        prompt = self._parts.prompt
        return self._parts.tokenizer([prompt + text for text in texts] if prompt else texts)

    def encode(
        self, tokens: Tokens, wanted: npt.NDArray[np.int64]
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Unit vectors of the wanted texts, a batch at a time, each with the positions it is for."""
        buckets = np.searchsorted(self._widths, tokens.lengths()[wanted])
        for bucket in np.unique(buckets):
            width = self._widths[bucket]
            members, height = wanted[buckets == bucket], max(1, _BATCH_TOKENS // width)
            for start in range(0, len(members), height):
                batch = members[start : start + height]
                yield batch, self._encode_batch(tokens, batch, (height, width))

    def _encode_batch(
        self, tokens: Tokens, batch: npt.NDArray[np.int64], shape: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        """Vectors of a batch, computed in exactly this shape (rows, width)."""
        ids = np.full(shape, self._parts.pad, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.bool_)
        mask[:, 0] = True  # a dummy row attends to one token: attending to none would be no number
        for row, text in enumerate(batch):
            own = tokens.of(int(text))
            ids[row, : len(own)] = own
            mask[row, : len(own)] = True
        with torch.inference_mode():
            vectors = self._parts.forward(torch.from_numpy(ids), torch.from_numpy(mask))
        result: npt.NDArray[np.float32] = vectors[: len(batch)].numpy()
        return result


def _load_bert(folder: Path, pooling: str, window: int) -> _Parts:
    model = Bert(folder, pooling)
    tokenizer = TextTokenizer(read_tokenizer(folder), window, special=True)
    return _Parts(model, tokenizer, model.dimension, 0, "", {"tokenizers": tokenizers.__version__})


def _load_with_library(folder: Path) -> _Parts:
    """Any other make-up, through sentence_transformers' own loader: no network, no pickle, none of the model's code."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import sentence_transformers  # takes seconds to load, and few models need it
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        model = sentence_transformers.SentenceTransformer(
            str(folder),
            device="cpu",
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
    tokenizer = TextTokenizer(backend, _library_window(model), special=True)
    dimension, pad = int(model.get_embedding_dimension()), int(model.tokenizer.pad_token_id or 0)
    return _Parts(partial(_library_forward, model), tokenizer, dimension, pad, prompt, versions)


def _library_forward(model: Any, ids: Any, mask: Any) -> Any:
    features = model({"input_ids": ids, "attention_mask": mask.long()})
    return functional.normalize(features["sentence_embedding"].float(), dim=1)


def _library_window(model: Any) -> int:
    """Tokens the model takes: what its folder says, and never more than it has positions for."""
    places = getattr(model[0].auto_model.config, "max_position_embeddings", None)
    return int(min(size for size in (model.max_seq_length, places) if size))


def _cpu() -> dict[str, str]:
    """What of the processor decides which kernels run; not its clock, its load or the number of its cores."""
    facts = {"machine": platform.machine()}
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:  # not Linux: what Python knows has to do
        return facts | {"processor": platform.processor()}
    rows = (line.partition(":") for line in first.splitlines())
    return facts | {key.strip(): value.strip() for key, _, value in rows if key.strip() in _CPU_FACTS}
