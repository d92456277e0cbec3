"""The look in Gradio's own variables: paper, ink and one quiet accent, light and dark.

`style.css` takes its colours from these variables and adds only the few that Gradio lacks.
Fonts are those of the reader's system, so that nothing is fetched from elsewhere.
"""

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
    return look.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="#b3aea4",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary_dark="#383631",
        color_accent="*primary_600",
        color_accent_soft_dark="*primary_900",
        link_text_color="*primary_600",
        link_text_color_dark="*primary_300",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_label_background_fill="transparent",
        block_title_text_weight="600",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        input_background_fill="#ffffff",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="#99948a",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_text_color_selected="*primary_800",
        checkbox_label_text_color_selected_dark="*primary_100",
        checkbox_label_border_color_selected="*primary_500",
        checkbox_label_border_color_selected_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="*primary_950",
        button_border_width="1px",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover="*neutral_100",
    )
