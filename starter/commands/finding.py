"""What a check of the diagnosis finds."""


class Problem(Exception):  # noqa: N818 -- it is a finding, not a fault
    """Something is not as it should be; ``remedy`` says what to do."""

    def __init__(self, finding: str, remedy: str) -> None:
        super().__init__(finding)
        self.finding = finding
        self.remedy = remedy
