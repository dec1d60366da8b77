"""Planting errors of known kind and place in summaries believed right: a labelled set where there is none."""
