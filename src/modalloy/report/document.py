"""A page as one file that opens anywhere without a network: its frame, whatever stands in it."""

from collections.abc import Sequence
from importlib.resources import files

from modalloy.report.html import Markup, join, safe, tag

# Even a cell that smuggles HTML in could neither run a script nor reach a network.
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
HEIGHT_PX = 900  # of a page inside a notebook


def document(
    title: str,
    heading: Markup,
    parts: Sequence[tuple[str, str, Markup]],
    footer: str,
    *,
    by_night: bool = False,
) -> str:
    """Head, navigation and sections; parts: key, name and what stands in it, the first without a
    headline of its own. by_night: dark for readers who ask their browser for dark pages.
    """
    night = ' class="by-night"' if by_night else ""
    style = files("modalloy.report").joinpath("page.css").read_text(encoding="utf-8")
    links = join(tag("a", name, href=f"#{key}") for key, name, _ in parts)
    sections = [tag("section", parts[0][2], id=parts[0][0])]
    sections += [tag("section", tag("h2", name), inner, id=key) for key, name, inner in parts[1:]]
    return (
        f'<!doctype html>\n<html lang="en"{night}>\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{safe(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        "<body>\n"
        f"{heading}\n{tag('nav', tag('div', links))}\n"
        f"{tag('main', join(sections, chr(10)), tag('footer', footer))}\n</body>\n</html>\n"
    )


def framed(page: str) -> str:
    """A page inside another one, such as a notebook, whose styles it neither takes nor changes."""
    style = f"width:100%;height:{HEIGHT_PX}px;border:0"
    return f'<iframe srcdoc="{safe(page)}" style="{style}"></iframe>'
