"""``python -m starter.contract``: write the generated files of ``docs/contract`` anew."""

from starter.contract.files import FOLDER, files

if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
