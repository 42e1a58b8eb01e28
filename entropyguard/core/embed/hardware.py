"""What of this machine computes vectors, and what about it decides their bits."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

_CPU_FACTS = ("vendor_id", "cpu family", "model", "stepping", "flags", "CPU implementer", "CPU part", "Features")
_KERNEL_SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
)


@dataclass(frozen=True)
class Hardware:
    """device: as torch names it. facts: all that picks its kernels."""

    device: str
    facts: dict[str, str | None]


def find_hardware() -> Hardware:
    """The GPU where torch can use one (an empty CUDA_VISIBLE_DEVICES hides it), else the processor."""
    if not torch.cuda.is_available():
        kernels = {switch: os.environ.get(switch) for switch in _KERNEL_SWITCHES}
        return Hardware("cpu", {**_cpu(), **kernels, "capability": torch.backends.cpu.get_cpu_capability()})
    torch.set_float32_matmul_precision("highest")  # float32 means it: no TF32
    capability = ".".join(map(str, torch.cuda.get_device_capability()))
    facts = {"gpu": torch.cuda.get_device_name(), "capability": capability, "cuda": torch.version.cuda}
    return Hardware("cuda", facts)


def _cpu() -> dict[str, str]:
    """What of the processor decides which kernels run; not its clock, its load or the number of its cores."""
    facts = {"machine": platform.machine()}
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:  # not Linux: what Python knows has to do
        return facts | {"processor": platform.processor()}
    rows = (line.partition(":") for line in first.splitlines())
    return facts | {key.strip(): value.strip() for key, _, value in rows if key.strip() in _CPU_FACTS}
