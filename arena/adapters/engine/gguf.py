"""The header of a GGUF file: what a model is, without loading it.

Format: the GGUF specification of ggml (docs/gguf.md), versions 2 and 3, little-endian. It reads the
metadata and the tensor shapes only; it does not know llama.cpp, HTTP or where files come from.
"""

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

# Value types of the specification that are plain numbers, as struct codes.
_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING = 8
_ARRAY = 9

# general.file_type (llama.cpp's llama_ftype) in the words Ollama uses for it; some are none today.
_QUANTIZATIONS: dict[Any, str] = dict(
    enumerate(
        "F32,F16,Q4_0,Q4_1,,,,Q8_0,Q5_0,Q5_1,Q2_K,Q3_K_S,Q3_K_M,Q3_K_L,Q4_K_S,Q4_K_M,Q5_K_S,Q5_K_M,"
        "Q6_K,IQ2_XXS,IQ2_XS,Q2_K_S,IQ3_XS,IQ3_XXS,IQ1_S,IQ4_NL,IQ3_S,IQ3_M,IQ2_S,IQ2_M,IQ4_XS,"
        "IQ1_M,BF16,,,,TQ1_0,TQ2_0,MXFP4".split(",")
    )
)


class NotGguf(ValueError):
    """The file is no GGUF file, or ends within its header."""


@dataclass(frozen=True, slots=True)
class GgufInfo:
    """`parameters` counts weights; `metadata` leaves arrays (token lists, merges) out."""

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
                return f"{size:.{0 if size.is_integer() else digits}f}{name}"
        return str(self.parameters)


def read_info(path: Path) -> GgufInfo:
    """Read the header of `path`. Raises NotGguf, or OSError when it cannot be read."""
    with path.open("rb") as file:
        try:
            metadata, parameters = _read_header(file)
        except (struct.error, KeyError, OverflowError, MemoryError) as error:
            raise NotGguf(f"{path.name} is not a whole GGUF file") from error
    family = str(metadata.get("general.architecture", "unknown"))
    return GgufInfo(
        family=family,
        parameters=parameters,
        quantization=_QUANTIZATIONS.get(metadata.get("general.file_type")) or "unknown",
        context_length=int(metadata.get(f"{family}.context_length", 0)),
        embedding_length=int(metadata.get(f"{family}.embedding_length", 0)),
        chat_template=str(metadata.pop("tokenizer.chat_template", "")),
        license=str(metadata.get("general.license", "")),
        metadata=metadata | {"general.parameter_count": parameters},
    )


def _read_header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    magic, version, tensors, pairs = _unpack(file, "4sIQQ")
    if magic != b"GGUF" or version not in (2, 3):
        raise NotGguf(f"{file.name} does not begin as GGUF of version 2 or 3 does")
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
    return str(_unpack(file, f"{length}s")[0], "utf-8", errors="replace")


def _unpack(file: BinaryIO, codes: str) -> tuple[Any, ...]:
    layout = struct.Struct(f"<{codes}")
    return layout.unpack(file.read(layout.size))
