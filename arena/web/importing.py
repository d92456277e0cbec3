"""Gradio is imported without what it does for others alone: the stubs for editors that it writes
beside itself each time, half of the time of the import; and a look through all folders for
Matplotlib before and after each call.

It does not know what Gradio is used for.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType


def no_stub(*_: object) -> None:
    """Nothing is written."""


INSTEAD: Mapping[str, tuple[str, object]] = {
    "gradio.component_meta": ("create_or_modify_pyi", no_stub),
    "gradio.utils": ("MatplotlibBackendMananger", nullcontext),
}
"""By module, what is put in the place of what."""


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        name, other = INSTEAD[module.__name__]
        setattr(module, name, other)


class Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in INSTEAD:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.origin:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


def leanly() -> None:
    """For whatever imports Gradio from now on."""
    sys.meta_path.insert(0, Finder())
