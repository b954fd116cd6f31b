"""Rows that arrive without HTTP - files in a folder, lines of a file, messages - answered once"""
