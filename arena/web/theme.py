"""The look in Gradio's own variables (`theme.toml`): paper, ink and one quiet accent, light and dark.

`style.css` takes its colours from these variables and adds only the few that Gradio lacks.
Fonts are those of the reader's system, so that nothing is fetched from elsewhere.
"""

import tomllib
from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color
from gradio.themes.utils.sizes import radius_lg, spacing_md, text_md

SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Ubuntu", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "Consolas", "monospace")

ACCENT = Color(
    *"#eef4f7 #dbe7ed #bcd2dd #93b6c7 #6796ad #457a93 "
    "#2f6179 #274f63 #223f4f #1c3340 #12222b harbour".split()
)
STONE = Color(
    *"#f7f6f3 #efede8 #e2dfd8 #cbc7be #9d998f #736f66 "
    "#5a574f #403e39 #2a2926 #1e1d1b #151412 stone".split()
)


def theme() -> gr.themes.Base:
    look = gr.themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=STONE,
        spacing_size=spacing_md,
        radius_size=radius_lg,
        text_size=text_md,
        font=SANS,
        font_mono=MONO,
    )
    look.name = "progressive-arena"
    return look.set(**tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")))
