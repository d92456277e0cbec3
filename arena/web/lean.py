"""What Gradio tells the page of each component, without what its scripts need not be told: they
watch every field of every component, twice, before anything can be typed.

It does not know which components there are.
"""

from collections.abc import Mapping
from typing import Any

UNREAD = ("api_info", "api_info_as_input", "api_info_as_output", "example_inputs", "skip_api")
"""Of a component: for programs that call one of its events."""

UNSAID = ("preserved_by_key", "name", "streamable", "component_class_name", "render_children")
"""Of what it is drawn with: for the server, for the descriptions of calls, for error texts."""

EMPTY = (
    *("_retryable", "_undoable", "likeable", "_selectable", "css_template", "props", "buttons"),
    *("elem_classes", "show_progress", "autoscroll"),
)
"""The same, where it is empty or false, as it is then where nothing is told."""


def trim(config: Mapping[str, Any]) -> None:
    """config: of a page whose events are all private."""
    for component in config["components"]:
        for name in UNREAD:
            component.pop(name, None)
        props = component["props"]
        for name in UNSAID:
            props.pop(name, None)
        for name in EMPTY:
            if name in props and not props[name]:
                del props[name]
        if props.get("visible") is True:
            del props["visible"]
