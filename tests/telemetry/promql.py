"""Which metrics and labels an expression of PromQL names."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
RULES: Final = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS: Final = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))
DASHBOARDS: Final = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))

_KEYWORDS: Final = {"and", "or", "unless", "offset", "bool", "inf", "nan"}
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR: Final = re.compile(r"([A-Za-z_:][\w:]*)?\s*\{([^}]*)\}")
_WORD: Final = re.compile(r"(?<![\w.$])([A-Za-z_:][\w:]*)\b(?!\s*\()")
_OF_THE_TARGET: Final = {"job", "instance"}


@dataclass(frozen=True)
class Named:
    """What an expression names."""

    metrics: dict[str, set[str]]
    """Each metric, with the labels that are matched on it."""
    grouped: set[str]
    """Labels that something is grouped by."""


def named(expression: str) -> Named:
    """The metrics and labels of ``expression``; labels that Prometheus itself gives are left out."""
    text = _STRING.sub('""', expression)
    grouped = {label.strip() for found in _GROUPING.findall(text) for label in found.split(",") if label.strip()}
    text = re.sub(r"\[[^\]]*\]", "", _GROUPING.sub("", text))
    metrics: dict[str, set[str]] = {}
    for name, matchers in _SELECTOR.findall(text):
        labels = {re.split(r"[=!~]", each)[0].strip() for each in matchers.split(",") if each.strip()}
        metrics.setdefault(name, set()).update(labels - _OF_THE_TARGET)
    bare = re.sub(r"\boffset\s+\w+", "", _SELECTOR.sub(" ", text))
    for name in _WORD.findall(bare):
        if name not in _KEYWORDS:
            metrics.setdefault(name, set())
    return Named(metrics, grouped - _OF_THE_TARGET - {"le"})


def rules() -> list[dict[str, Any]]:
    """All rules, recording ones and alerts."""
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[tuple[str, dict[str, Any]]]:
    """All panels with the name of their dashboard."""
    return [(file.stem, panel) for file in DASHBOARDS for panel in json.loads(file.read_text())["panels"]]


def expressions() -> dict[str, str]:
    """Every expression of rules and dashboards, by where it stands."""
    found = {f"rule {rule.get('alert') or rule['record']}": rule["expr"] for rule in rules()}
    for dashboard, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m").replace("$task_queue", ".*")
            found[f"{dashboard}: {panel['title']} {target['refId']}"] = expression
    return found


@dataclass(frozen=True)
class Scraped:
    """What is there: labels by metric."""

    labels: dict[str, set[str]]

    @classmethod
    def of(cls, *texts: str) -> "Scraped":
        """What these pages of metrics hold; a histogram's parts by their own names."""
        labels: dict[str, set[str]] = {}
        for line in "\n".join(texts).splitlines():
            if line and not line.startswith("#"):
                name, _, rest = line.partition("{") if "{" in line else line.partition(" ")
                own = set(re.findall(r'(\w+)="', rest)) if "{" in line else set[str]()
                labels.setdefault(name, set()).update(own)
        return cls(labels)
