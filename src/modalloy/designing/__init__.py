"""Designs and settings that keep their promises: surrogates, margins, proposals and the loop that
verifies them."""
