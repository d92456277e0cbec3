"""Croissant metadata of a folder of tables (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).

It does not know what the tables are about.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

_TERMS = (
    "column extract field fileObject fileSet format includes jsonPath key md5 parentField path "
    "recordSet references regex repeated replace separator source subField transform "
    "isLiveDataset citeAs"
).split()
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    **{name: f"cr:{name}" for name in _TERMS},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
FORMATS = {"parquet": "application/x-parquet", "csv": "text/csv", "jsonl": "application/jsonlines"}
KINDS = {"b": "sc:Boolean", "i": "sc:Integer", "f": "sc:Float", "M": "sc:DateTime"}


def metadata(
    name: str,
    about: str,
    licence: str,
    published: str,
    tables: Mapping[str, tuple[str, pd.DataFrame]],
) -> dict[str, Any]:
    """tables: file → its SHA-256, and what it holds."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": about,
        "license": licence,
        "datePublished": published,
        "version": "1.0.0",
        "citeAs": f"{name} ({published[:4]})",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "encodingFormat": FORMATS[file.rpartition(".")[2]],
                "sha256": digest,
            }
            for file, (digest, _) in tables.items()
        ],
        "recordSet": [_records(file, table) for file, (_, table) in tables.items()],
    }


def _records(file: str, table: pd.DataFrame) -> dict[str, Any]:
    name = file.partition(".")[0]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": f"{name}/{column}",
                "dataType": KINDS.get(getattr(table[column].dtype, "kind", "O"), "sc:Text"),
                "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
            }
            for column in map(str, table)
        ],
    }
