"""Gradio does nothing for others when the arena imports it."""

import sys
from importlib import import_module
from importlib.util import module_from_spec

import gradio
import pytest

from arena.web.importing import INSTEAD, Finder


@pytest.mark.parametrize("name", INSTEAD)
def test_what_gradio_does_for_others_is_left_out(name: str) -> None:
    finder = next(finder for finder in sys.meta_path if isinstance(finder, Finder))
    spec = finder.find_spec(name, gradio.__path__)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    what, other = INSTEAD[name]
    assert getattr(module, what) is other
    assert hasattr(import_module(name), what), "Gradio does it in another way"
