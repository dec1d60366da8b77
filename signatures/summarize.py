"""The question put to the teacher, the base model and the students."""

import dspy


class Summarize(dspy.Signature):
    """Summarize this customer-service conversation."""

    conversation: str = dspy.InputField()
    summary: str = dspy.OutputField()
