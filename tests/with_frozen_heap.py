"""Imported last by the server of `warm_python`: garbage collections of its processes leave out what it has imported.

They are as rare as in the tests' own processes.
"""

import gc

gc.freeze()
gc.set_threshold(50_000, 10, 10)
gc.enable()
