"""Brings files from outside `docs/` into the site, and makes links that work in the repository work in the site too."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
OUTSIDE = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"]
LINK = re.compile(r"\]\(([^)#\s:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's root and the examples."""
    examples = [path.relative_to(ROOT).as_posix() for path in (ROOT / "examples").rglob("*.yaml")]
    for path in OUTSIDE + sorted(examples):
        files.append(File.generated(config, in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn each link between files of the repository into one between files of the site."""
    here = page.file.src_uri
    source = next((path for path in OUTSIDE if in_site(path) == here), f"docs/{here}")

    def to_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        return f"]({posixpath.relpath(in_site(target), posixpath.dirname(here) or '.')}{link[2] or ''})"

    return LINK.sub(to_site, markdown)


def in_site(path: str) -> str:
    """The place in the site of a file of the repository."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")
