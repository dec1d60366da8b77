"""Rows of the files that users have: JSON, CSV, Parquet, data set folders, and data sets of the hub.

A file is read as its writer meant it. If that is not clear, the problem names the line and how to mend it.
"""

from arf_programs.corpus.tables.files import read_json_rows
from arf_programs.corpus.tables.rows import Problems, Row
from arf_programs.corpus.tables.sources import find_source, read_rows
