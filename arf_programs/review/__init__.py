"""People's decisions: the pages on which they are made, their files, and what follows from them.

The pages are served on this machine only (`serve_review`). Training rows and report read the decisions through
`apply_reviews`, `corrected_pairs` and `gather_review`.
"""

from arf_programs.review.agreement import ReviewFigures, gather_review
from arf_programs.review.decisions import read_reviews
from arf_programs.review.guard import ReviewAddress
from arf_programs.review.outcomes import apply_reviews, corrected_pairs, reviewed_ids, reviews_digest
from arf_programs.review.rows import verdict_name
from arf_programs.review.start import serve_review
