"""What axe-core finds on a page as it stands, light and dark."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from axe_playwright_python.sync_playwright import Axe

ALL = {"resultTypes": ["violations"]}
COLOURS = ALL | {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""All that can be otherwise when it is dark."""


def findings(page: Any, state: str) -> list[str]:
    """Of a page that shows nothing that moves, as colours that fade in are judged by their
    middle. state: what it is called in what is found. The page is light afterwards."""
    found = []
    for scheme, options in (("dark", COLOURS), ("light", ALL)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
        # Half a megabyte of script is read once for each page.
        axe = Axe("0" if page.evaluate("'axe' in window") else AXE_SCRIPT)
        for finding in axe.run(page, options=options).response["violations"]:
            where = [node["target"] for node in finding["nodes"]]
            found.append(f"{state}, {scheme}: {finding['id']} at {where}")
    return found
