"""Figures in, pages for people out: report.html, card.md, charts."""
