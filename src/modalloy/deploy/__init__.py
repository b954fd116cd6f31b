"""Runs become bundles that answer without torch, as fast as a machine allows, or are refused."""
