"""The manifests as a cluster gets them: each overlay put together by the tool that its users use."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
KUBERNETES: Final = ROOT / "deploy" / "kubernetes"
OVERLAYS: Final = ("development", "production", "production-plain")
WORKER_KINDS: Final = ("Deployment", "WorkerDeployment")

Manifest = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Every manifest of an overlay. Where nothing can put it together, the test is skipped; in CI it fails."""
    return put_together(KUBERNETES / "overlays" / overlay)


def put_together(overlay: Path) -> tuple[Manifest, ...]:
    """Every manifest of an overlay in this folder."""
    folder = str(overlay)
    if tool := shutil.which("kustomize"):
        command = [tool, "build", folder]
    elif tool := shutil.which("kubectl"):
        command = [tool, "kustomize", folder]
    elif os.environ.get("CI"):
        pytest.fail("neither kustomize nor kubectl is installed: the manifests were not looked at")
    else:
        pytest.skip("neither kustomize nor kubectl is installed")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return tuple(yaml.safe_load_all(ended.stdout))


@dataclass(frozen=True)
class Pod:
    """What runs in a pod of ours, and by whom it is run."""

    owner: Manifest

    @property
    def name(self) -> str:
        return self.owner["metadata"]["name"]

    @property
    def template(self) -> Manifest:
        return self.owner["spec"]["template"]

    @property
    def spec(self) -> Manifest:
        return self.template["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.template["metadata"]["labels"]

    @property
    def container(self) -> Manifest:
        (container,) = self.spec["containers"]
        return container

    @property
    def worker(self) -> bool:
        return self.labels["app.kubernetes.io/name"] == "aftersales-worker"

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", [])}

    @property
    def given(self) -> set[str]:
        """The Secrets whose keys it has as environment variables."""
        return {each["secretRef"]["name"] for each in self.container.get("envFrom", []) if "secretRef" in each}

    @property
    def files(self) -> set[str]:
        """The Secrets whose keys it has as files."""
        return {each["secret"]["secretName"] for each in self.spec["volumes"] if "secret" in each}

    def environment(self, others: tuple[Manifest, ...]) -> dict[str, str]:
        """The variables of its container, as far as the manifests tell: Secrets are not among them."""
        found: dict[str, str] = {}
        for source in self.container.get("envFrom", []):
            if reference := source.get("configMapRef"):
                (config,) = [
                    each
                    for each in others
                    if each["kind"] == "ConfigMap" and each["metadata"]["name"] == reference["name"]
                ]
                found |= config["data"]
        for variable in self.container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
                continue
            path: str = variable["valueFrom"]["fieldRef"]["fieldPath"]
            label = path.removeprefix("metadata.labels['").removesuffix("']")
            found[variable["name"]] = self.labels.get(label, path)
        return found


def pods(overlay: str) -> list[Pod]:
    """All that an overlay runs."""
    return [Pod(each) for each in rendered(overlay) if "template" in each.get("spec", {}) and _runs(each)]


def workers(overlay: str) -> dict[str, Pod]:
    """The workers of an overlay, by their role."""
    return {pod.labels["app.kubernetes.io/component"]: pod for pod in pods(overlay) if pod.worker}


def _runs(manifest: Manifest) -> bool:
    return manifest["kind"] in {*WORKER_KINDS, "Job"}
