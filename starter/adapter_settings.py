"""The part of the page on settings that lists those of the built-in adapters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from starter.adapter_factories import factory_of, settings_model, variables
from starter.adapter_registry import BUILT_IN


def lines() -> Iterator[str]:
    """A section for each built-in adapter that has settings, in Markdown."""
    for port, adapters in BUILT_IN.items():
        for name in sorted(adapters):
            model = settings_model(factory_of(port, name))
            if model is None:
                continue
            yield from (
                "",
                f"## Adapter `{name}` ({port})",
                "",
                f"Read where `AFTERSALES_{port.upper()}={name}`. See {_page(port, name)}.{_also(port, name)}",
                "",
                "| Variable | Default | Meaning |",
                "| --- | --- | --- |",
            )
            for variable, field in variables(model):
                info = model.model_fields[field]
                cells = (f"`{variable}`", _default(info), f"{info.description or ''}{_secret(info)}")
                yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _page(port: str, name: str) -> str:
    match port:
        case "payments":
            return f"[adapters-{name}.md](adapters-{name}.md)"
        case "attachments":
            return "[privacy.md](privacy.md#attachments)"
        case _:
            return f"[{port}.md]({port}.md)"


def _also(port: str, name: str) -> str:
    """Who else reads these settings."""
    if (port, name) != ("attachments", "s3"):
        return ""
    return (
        " An archive in a bucket (`AFTERSALES_ARCHIVE=s3://...`) reads them too, but for the bucket and the folder, "
        "which it names itself."
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.get_default()
    match default:
        case None | "" | ():
            return "none"
        case bool():
            return f"`{str(default).lower()}`"
        case Path():
            return f"`{default.as_posix()}`"
        case _:
            return f"`{default}`"


def _secret(field: FieldInfo) -> str:
    return " Secret." if "SecretStr" in str(field.annotation) else ""
