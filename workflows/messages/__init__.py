"""What crosses a process border: requests, commands, views, outcomes and the activities' contracts.

Every message is a frozen model. None has a field for free text of a person: reasons are codes, and
what somebody wrote or photographed is passed as a reference (P6).
"""
