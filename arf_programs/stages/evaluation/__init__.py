"""Stage `evaluate`: the systems that are compared, the server they may need, and the scores."""
