"""What is said to a browser whose question cannot be answered."""


class QuestionError(ValueError):
    """A question with a name or a day that does not exist; the message lists what does."""
