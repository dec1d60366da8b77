"""Imported first by the server of `warm_python`: garbage collections would make its imports a quarter slower."""

import gc

gc.disable()
