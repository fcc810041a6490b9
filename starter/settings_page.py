"""The page on all settings: ``python -m starter.settings_page`` prints it."""

from collections.abc import Mapping

from starter import adapter_settings
from starter.light_variables import VARIABLES as OF_THE_LIGHT_CLIENT
from starter.settings import Settings, variable_name
from starter.settings_of_others import OTEL_VARIABLES, TEMPORAL_VARIABLES
from starter.settings_values import allowed, default


def _table(variables: Mapping[str, str]) -> list[str]:
    """What others read: each with its meaning, in words of ours."""
    return ["| Variable | Meaning |", "| --- | --- |", *(f"| `{name}` | {said} |" for name, said in variables.items())]


def documentation() -> str:
    """The page on all settings, in Markdown."""
    lines = [
        "# Settings",
        "",
        "All settings are environment variables. A wrong one ends a command with one line and exit code 2.",
        "",
        "| Variable | Allowed | Default | Meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        cells = (f"`{variable_name(name)}`", allowed(field), default(field), field.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += [
        "",
        "## Temporal",
        "",
        "Read by the Temporal SDK as in every Temporal program. None of them set: an embedded server runs on",
        "the state folder. One set: that server, at `localhost:7233` in namespace `default` unless they say",
        "otherwise. A configuration file at Temporal's usual place counts only where `TEMPORAL_PROFILE` or",
        "`TEMPORAL_CONFIG_FILE` is set; in production a file without either is an error. `TEMPORAL_GRPC_META_<NAME>`",
        "is a header of each request. `TEMPORAL_TLS_DISABLE_HOST_VERIFICATION` is not heeded by the Python SDK.",
        "",
        *_table(TEMPORAL_VARIABLES),
    ]
    lines += [
        "",
        "## The light client",
        "",
        "Read by it alone, beside `AFTERSALES_TASK_QUEUE`, `AFTERSALES_KEYS` and `AFTERSALES_KEY_FILE`. See",
        "[client.md](client.md).",
        "",
        *_table(OF_THE_LIGHT_CLIENT),
    ]
    lines += [
        "",
        "## OpenTelemetry",
        "",
        "Read as in every program with OpenTelemetry, by `aftersales worker`, `aftersales http serve` and",
        "`aftersales up`. None of them set: no traces and no metrics, at no cost. See",
        "[observability.md](observability.md).",
        "",
        *_table(OTEL_VARIABLES),
    ]
    lines += adapter_settings.lines()
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(documentation(), end="")
