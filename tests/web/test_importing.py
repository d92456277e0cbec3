"""Gradio writes nothing beside itself when the arena imports it."""

import sys
from importlib.util import module_from_spec

import gradio

from arena.web.importing import WRITER, Finder, no_stub


def test_no_stubs_are_written_when_gradio_is_imported() -> None:
    finder = next(finder for finder in sys.meta_path if isinstance(finder, Finder))
    spec = finder.find_spec(WRITER, gradio.__path__)
    assert spec
    assert spec.loader
    writer = module_from_spec(spec)
    spec.loader.exec_module(writer)
    assert writer.create_or_modify_pyi is no_stub
    assert hasattr(gradio.component_meta, "create_or_modify_pyi"), "Gradio does it in another way"
