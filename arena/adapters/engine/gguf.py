"""The header of a GGUF file: what a model is, without loading it.

Format: the GGUF specification of ggml (docs/gguf.md), versions 2 and 3, little-endian. It reads the
metadata and the tensor shapes only; it does not know llama.cpp, HTTP or where files come from.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"GGUF"

# Value types of the specification that are plain numbers, as struct codes.
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING = 8
_ARRAY = 9

# general.file_type (llama.cpp's llama_ftype) in the words Ollama uses for it.
_QUANTIZATIONS = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}


class NotGguf(ValueError):
    """The file is no GGUF file, or ends within its header."""


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """What `/api/tags` and `/api/show` tell of a model. `parameters` counts weights;
    `metadata` leaves arrays (token lists, merges) out."""

    family: str
    parameters: int
    quantization: str
    context_length: int
    embedding_length: int
    chat_template: str
    license: str
    metadata: dict[str, Any]

    @property
    def parameter_size(self) -> str:
        """The count as Ollama writes it: `134.52M`, `8.0B`, `7B`."""
        for unit, name, digits in ((1e9, "B", 1), (1e6, "M", 2), (1e3, "K", 2)):
            if self.parameters >= unit:
                size = self.parameters / unit
                return f"{size:.0f}{name}" if size.is_integer() else f"{size:.{digits}f}{name}"
        return str(self.parameters)


def read_info(path: Path) -> GgufInfo:
    """Read the header of `path`. Raises NotGguf, or OSError when it cannot be read."""
    with path.open("rb") as file:
        try:
            metadata, parameters = _read_header(file)
        except (struct.error, UnicodeDecodeError, KeyError, OverflowError, MemoryError) as error:
            raise NotGguf(f"{path.name} is not a whole GGUF file") from error
    family = str(metadata.get("general.architecture", "unknown"))
    file_type = metadata.get("general.file_type")
    return GgufInfo(
        family=family,
        parameters=parameters,
        quantization=_QUANTIZATIONS.get(file_type, "unknown")
        if isinstance(file_type, int)
        else "unknown",
        context_length=int(metadata.get(f"{family}.context_length", 0)),
        embedding_length=int(metadata.get(f"{family}.embedding_length", 0)),
        chat_template=str(metadata.pop("tokenizer.chat_template", "")),
        license=str(metadata.get("general.license", "")),
        metadata=metadata | {"general.parameter_count": parameters},
    )


def _read_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    if file.read(4) != MAGIC:
        raise NotGguf("the file does not begin with GGUF")
    version, tensors, pairs = _unpack(file, "IQQ")
    if version not in (2, 3):
        raise NotGguf(f"GGUF version {version} is not supported")
    metadata: dict[str, Any] = {}
    for _ in range(pairs):
        key = _read_string(file)
        value = _read_value(file, *_unpack(file, "I"))
        if value is not None:
            metadata[key] = value
    parameters = 0
    for _ in range(tensors):
        _read_string(file)
        (dimensions,) = _unpack(file, "I")
        parameters += prod(_unpack(file, f"{dimensions}Q"))
        file.seek(12, 1)  # the tensor's type (4 bytes) and its offset (8 bytes)
    return metadata, parameters


def _read_value(file: BinaryIO, kind: int) -> Any:
    """A scalar, a string, or None for an array, which is skipped."""
    if kind == _STRING:
        return _read_string(file)
    if kind != _ARRAY:
        return _unpack(file, _NUMBERS[kind])[0]
    item_kind, count = _unpack(file, "IQ")
    if item_kind in _NUMBERS:
        file.seek(count * struct.calcsize(_NUMBERS[item_kind]), 1)
    else:
        for _ in range(count):
            _read_value(file, item_kind)
    return None


def _read_string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "Q")
    data = file.read(length)
    if len(data) != length:
        raise NotGguf("the file ends within its header")
    return data.decode("utf-8", errors="replace")


def _unpack(file: BinaryIO, codes: str) -> tuple[Any, ...]:
    layout = struct.Struct(f"<{codes}")
    return layout.unpack(file.read(layout.size))
