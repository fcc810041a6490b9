"""``python -m starter.client_wheel [FOLDER]``: write the sources into the folder, and build the wheel beside them."""

import sys
from pathlib import Path

from starter.client_wheel.building import built_wheel

if __name__ == "__main__":
    print(built_wheel(Path(sys.argv[1] if len(sys.argv) > 1 else "build/aftersales-client")))
