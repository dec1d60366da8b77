"""Training: the data set builder, the TRL script and the export of a student."""
