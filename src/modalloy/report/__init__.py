"""Pages for people: report.html, card.md, charts."""
