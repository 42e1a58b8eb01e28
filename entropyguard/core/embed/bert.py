"""BERT's forward pass, for models that need no more of `transformers` than this.

Importing `transformers` takes longer than embedding a thousand short texts. Most small sentence encoders (MiniLM,
BGE, E5, GTE) are plain BERT: Devlin et al. 2019, https://arxiv.org/abs/1810.04805.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional

from entropyguard.core.errors import UsageError
from entropyguard.core.storage.files import read_json

POOLINGS = ("cls", "max", "mean")
_LEAST = torch.finfo(torch.float32).min


class Bert:
    """The weights of one folder, in float32; called with ids and mask, int64 and bool of shape (rows, width)."""

    def __init__(self, folder: Path, pooling: str, device: str = "cpu") -> None:
        config = read_json(folder / "config.json")
        file = folder / "model.safetensors"
        try:
            tensors = load_file(file)
            weights = {name.removeprefix("bert."): tensor.float().to(device) for name, tensor in tensors.items()}
            self._layers = [_layer(weights, number) for number in range(config["num_hidden_layers"])]
            self._words = weights["embeddings.word_embeddings.weight"]
            kind = weights["embeddings.token_type_embeddings.weight"][0]
            self._positions = weights["embeddings.position_embeddings.weight"] + kind
            self._norm = _pair(weights, "embeddings.LayerNorm")
        except Exception as error:  # safetensors has an error of its own for each kind of damage
            raise _misfit(file, error) from error
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        self._pooling = pooling
        self.dimension = int(self._words.shape[1])

    def __call__(self, ids: Any, mask: Any) -> Any:
        """Unit vectors, float32 of shape (rows, dimension)."""
        rows, width = ids.shape
        hidden = self._normalised(self._words[ids] + self._positions[:width], self._norm).view(rows * width, -1)
        bias = torch.zeros(rows, 1, 1, width, device=ids.device)
        bias.masked_fill_(~mask[:, None, None, :], _LEAST)
        for layer in self._layers:
            hidden = self._through(layer, hidden, bias, rows, width)
        return functional.normalize(self._pooled(hidden.view(rows, width, -1), mask[..., None]), dim=1)

    def _through(self, layer: dict[str, Any], hidden: Any, bias: Any, rows: int, width: int) -> Any:
        parts = layer["qkv"](hidden).view(rows, width, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=bias)
        mixed = layer["mix"](heads.transpose(1, 2).reshape(rows * width, -1))
        hidden = self._normalised(mixed.add_(hidden), layer["mix_norm"])
        narrow = layer["narrow"](layer["widen"](hidden))
        return self._normalised(narrow.add_(hidden), layer["norm"])

    def _normalised(self, hidden: Any, weights: tuple[Any, Any]) -> Any:
        return functional.layer_norm(hidden, (self.dimension,), *weights, self._epsilon)

    def _pooled(self, hidden: Any, mask: Any) -> Any:
        if self._pooling == "cls":
            return hidden[:, 0]
        if self._pooling == "max":
            return hidden.masked_fill(~mask, _LEAST).amax(dim=1)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


def dimension_of(folder: Path) -> int:
    """Numbers in a vector of `Bert` of this folder; of its weights only the table of contents is read."""
    file = folder / "model.safetensors"
    try:
        with safe_open(file, framework="pt") as weights:
            words = next(name for name in weights.keys() if name.endswith("embeddings.word_embeddings.weight"))  # noqa: SIM118
            return int(weights.get_slice(words).get_shape()[1])
    except Exception as error:  # as above
        raise _misfit(file, error) from error


def _misfit(file: Path, error: Exception) -> UsageError:
    return UsageError(f"{file} does not hold the model that config.json beside it describes ({error}).")


def _layer(weights: dict[str, Any], number: int) -> dict[str, Any]:
    """One layer's functions and weights; the three projections of attention are joined into one product."""
    at = f"encoder.layer.{number}"
    projections = [_pair(weights, f"{at}.attention.self.{name}") for name in ("query", "key", "value")]
    return {
        "qkv": _dense(*(torch.cat(tensors) for tensors in zip(*projections, strict=True))),
        "mix": _dense(*_pair(weights, f"{at}.attention.output.dense")),
        "mix_norm": _pair(weights, f"{at}.attention.output.LayerNorm"),
        "widen": _dense(*_pair(weights, f"{at}.intermediate.dense"), gelu=True),
        "narrow": _dense(*_pair(weights, f"{at}.output.dense")),
        "norm": _pair(weights, f"{at}.output.LayerNorm"),
    }


def _dense(weight: Any, bias: Any, *, gelu: bool = False) -> Callable[[Any], Any]:
    """hidden -> hidden W^T + bias, followed by GELU where asked."""
    if gelu:
        return lambda hidden: functional.gelu(functional.linear(hidden, weight, bias))
    return lambda hidden: functional.linear(hidden, weight, bias)


def _pair(weights: dict[str, Any], name: str) -> tuple[Any, Any]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def plain_bert(folder: Path) -> tuple[str, int] | None:
    """(pooling, window in tokens) of a folder that `Bert` computes exactly; None where it needs its own library."""
    config, prompts = read_json(folder / "config.json"), read_json(folder / "config_sentence_transformers.json") or {}
    tokens = read_json(folder / "tokenizer_config.json") or {}
    sentence = read_json(folder / "sentence_bert_config.json") or {}
    if not isinstance(config, dict) or not (folder / "model.safetensors").is_file():
        return None
    plain = (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
        and not sentence.get("do_lower_case", False)
        and not prompts.get("default_prompt_name")
        and tokens.get("padding_side", "right") == "right"
        and _same_case(folder, tokens)
    )
    pooling = _pooling(folder)
    if not plain or pooling not in POOLINGS:
        return None
    window = sentence.get("max_seq_length") or tokens.get("model_max_length") or config["max_position_embeddings"]
    return pooling, int(min(window, config["max_position_embeddings"]))


def _same_case(folder: Path, tokens: dict[str, Any]) -> bool:
    """Whether tokenizer.json and tokenizer_config.json agree on lower case, so that the first alone may be used."""
    tokenizer = read_json(folder / "tokenizer.json")
    if not isinstance(tokenizer, dict):
        return False
    lowers = (tokenizer.get("normalizer") or {}).get("lowercase")
    return tokens.get("do_lower_case") in (None, lowers)


def _pooling(folder: Path) -> str | None:
    """The one pooling of a Transformer + Pooling (+ Normalize) folder; None for any other make-up."""
    modules = read_json(folder / "modules.json")
    if modules is None:
        return "mean"
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or modules[0]["path"] != "":
        return None
    config = read_json(folder / modules[1]["path"] / "config.json") or {}
    if "pooling_mode" in config:
        return config["pooling_mode"] if isinstance(config["pooling_mode"], str) else None
    modes = [name for name, on in config.items() if name.startswith("pooling_mode_") and on is True]
    names = {"pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean"}
    return names.get(modes[0]) if len(modes) == 1 else None
