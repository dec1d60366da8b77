"""Pushes rows of a corpus through programs: streamed, kept as they are done, in one process or several."""
