"""Links to the papers that a source names; a reader follows them, the page never does."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_REFERENCES = re.compile(
    r"(?P<doi>doi:\s?10\.\d{4,}/[^\s;,]*[^\s;,.)])|PMID:?\s?(?P<pmid>\d+)|(?P<pmc>PMC\d+)"
    r"|(?P<url>https?://[^\s;,]+[^\s;,.)])"
)


def linked(text: str) -> Markup:
    """Escape a source and turn DOI, PubMed and web references in it into links."""
    parts: list[Markup] = []
    end = 0
    for match in _REFERENCES.finditer(text):
        parts.append(escape(text[end : match.start()]))
        parts.append(Markup('<a href="{}">{}</a>').format(_address(match), match.group()))
        end = match.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def _address(match: re.Match[str]) -> str:
    if doi := match["doi"]:
        return "https://doi.org/" + doi.removeprefix("doi:").strip()
    if pmid := match["pmid"]:
        return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/"
    if pmc := match["pmc"]:
        return f"https://www.ncbi.nlm.nih.gov/pmc/articles/{pmc}/"
    return str(match["url"])
