"""Find what is wrong in a summary: of the whole text, sentence by sentence, or by a checker."""
