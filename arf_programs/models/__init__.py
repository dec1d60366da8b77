"""Models by configuration: the one place that builds a language model, and the providers built in."""
