"""The words of one verb a file, as they are typed, and what it says at the terminal."""
