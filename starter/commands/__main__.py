"""``python -m starter.commands`` is ``aftersales``."""

from starter.commands import main

main()
