"""The manifests are what a cluster takes, and what they say is true of the code."""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import files
from pathlib import Path
from typing import Any, cast

import jsonschema
import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs]
import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from activities.gateways import alipay, wechatpay
from starter.adapters import refuse_stubs
from starter.commands.application import application
from tests.deploy.manifests import KUBERNETES, OVERLAYS, ROOT, Manifest, Pod, pods, put_together, rendered, workers
from tests.deploy.settings_known import OURS, settings_of
from worker import WORKFLOWS
from workflows.messages.notices import NoticeResendRequest
from workflows.rules.worker_roles import WorkerRole, queue_of
from workflows.starts import read_start

KUBERNETES_VERSION = "1.33"
SCHEMAS: dict[str, Any] = {
    name: schema
    for path in sorted((Path(__file__).parent / "schemas").glob("*.json"))
    for name, schema in json.loads(path.read_text())["schemas"].items()
}
EXIT_SECONDS = 10
"""How long after its grace a worker process is gone at the latest."""
OF_AN_ADAPTER_OF_ONES_OWN: frozenset[str] = frozenset()
"""Whatever it reads."""
DATABASES = {"DATABASE_URL", "AFTERSALES_KEY_STORE_URL"}
SECRETS = {
    "aftersales": {"AFTERSALES_LOOKUP_KEY"},
    "aftersales-setup": DATABASES,
    "aftersales-worker": DATABASES,
    "aftersales-codec": {*DATABASES, "AFTERSALES_CODEC_TOKEN_SECRET"},
    "aftersales-http": {*DATABASES, "AFTERSALES_HTTP_TOKEN_SECRET"},
    "aftersales-payments": {
        "AFTERSALES_WECHATPAY_MCHID",
        "AFTERSALES_WECHATPAY_CERTIFICATE_SERIAL",
        "AFTERSALES_WECHATPAY_PUBLIC_KEY_ID",
    },
    "aftersales-payment-files": {"private-key.pem", "public-key.pem", "api-v3-key"},
    "aftersales-notices": {"AFTERSALES_NOTICE_WEBHOOK_SECRET", "AFTERSALES_SMTP_USER", "AFTERSALES_SMTP_PASSWORD"},
    **{f"aftersales-{port}": OF_AN_ADAPTER_OF_ONES_OWN for port in ("carriers", "numbers", "orders")},
    "aftersales-webhooks": {"webhooks.toml"},
    "aftersales-keys": {"keys"},
    "temporal-client-tls": {"tls.crt", "tls.key"},
}
"""What deploy/README.md has people put into which Secret."""

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def strict(schema: Any) -> Any:
    """A custom kind's schema in which an unknown field is an error: the API server would drop it in silence."""
    if isinstance(schema, list):
        return [strict(part) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    keys = cast("dict[str, Any]", schema)
    made = {key: strict(value) for key, value in keys.items() if not key.startswith("x-kubernetes")}
    return {"additionalProperties": False, **made} if "properties" in keys else made


def check(manifest: Manifest) -> None:
    """Raises where Kubernetes, or the controller of a custom kind, would not take the manifest as it is."""
    name = f"{manifest['apiVersion']}/{manifest['kind']}"
    if name not in SCHEMAS:
        kubernetes_validate.validate(manifest, KUBERNETES_VERSION, strict=True)
        return
    schema = strict(SCHEMAS[name])
    schema["properties"]["metadata"] = {"type": "object"}
    validator: Any = jsonschema.Draft202012Validator(schema)
    validator.validate(manifest)
    if manifest["kind"] == "WorkerDeployment":
        check(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "version"},
                "spec": {"selector": {"matchLabels": {"version": "1"}}, "template": manifest["spec"]["template"]},
            }
        )
    if manifest["kind"] == "WorkerResourceTemplate":
        check(filled_in(manifest))


def filled_in(template: Manifest) -> Manifest:
    """What the worker controller makes of a template for one version."""
    made = json.loads(json.dumps(template["spec"]["template"]))
    made["metadata"] = {"name": "version"}
    spec = made["spec"]
    if spec.get("scaleTargetRef") == {}:
        spec["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "version"}
    if spec.get("selector", {}).get("matchLabels") == {}:
        spec["selector"]["matchLabels"] = {"temporal.io/build-id": "version"}
    return made


def test_a_cluster_takes_every_manifest() -> None:
    # Much is the same in several overlays, and looking at it costs.
    distinct = {json.dumps(each, sort_keys=True): each for overlay in OVERLAYS for each in rendered(overlay)}
    for manifest in distinct.values():
        check(manifest)


def test_a_misspelt_field_is_not_taken() -> None:
    (manifest,) = [each for each in rendered("production") if each["metadata"]["name"] == "aftersales-workflows"]
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["rollout"]["gates"] = wrong["spec"]["rollout"].pop("gate")
    with pytest.raises(jsonschema.ValidationError):
        check(wrong)
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        check(wrong)


@each_overlay
def test_every_role_has_workers_with_the_settings_that_it_needs(overlay: str) -> None:
    assert set(workers(overlay)) == set(WorkerRole)
    for role, pod in workers(overlay).items():
        environment = pod.environment(rendered(overlay))
        assert environment["AFTERSALES_ROLE"] == role
        assert environment["AFTERSALES_HEALTH_LISTEN"] == f"0.0.0.0:{pod.ports['health']}"
        assert environment["OTEL_EXPORTER_PROMETHEUS_PORT"] == str(pod.ports["metrics"])
        assert pod.template["metadata"]["annotations"]["prometheus.io/port"] == str(pod.ports["metrics"])


@each_overlay
def test_every_setting_is_known_and_right(overlay: str) -> None:
    for pod in pods(overlay):
        environment = pod.environment(rendered(overlay))
        assert set(environment) - {"POD_NAME"} <= OURS, pod.name
        secret = dict.fromkeys(
            SECRETS["aftersales"] | SECRETS["aftersales-codec"] | SECRETS["aftersales-http"], "x" * 40
        )
        secret |= {"DATABASE_URL": "postgresql://a/b", "AFTERSALES_KEY_STORE_URL": "postgresql://a/c"}
        settings = settings_of(environment | secret)
        assert settings.environment == ("development" if overlay == "development" else "production")
        refuse_stubs(settings)
        # Without one of these a process would look for servers and keys in a folder that it cannot write to.
        assert environment["TEMPORAL_ADDRESS"]
        assert environment["AFTERSALES_KEY_FILE"].rpartition("/")[0] in mounts(pod)


@each_overlay
def test_what_is_secret_comes_from_documented_secrets(overlay: str) -> None:
    guide = (ROOT / "deploy" / "README.md").read_text()
    for pod in pods(overlay):
        named = pod.given | pod.files
        assert named <= set(SECRETS)
        for name in named:
            assert f"`{name}`" in guide
            assert all(f"`{key}`" in guide for key in SECRETS[name])
        inline = {each["name"] for each in pod.container.get("env", [])}
        assert not inline & set[str]().union(*SECRETS.values())
    assert not [each for each in rendered(overlay) if each["kind"] == "Secret"]


@each_overlay
def test_each_process_logs_in_to_the_databases_as_its_own_kind_only(overlay: str) -> None:
    kinds = {pod.name: "worker" for pod in workers(overlay).values()}
    kinds |= {"aftersales-setup": "setup", "aftersales-codec": "codec", "aftersales-http": "http"}
    assert {pod.name for pod in pods(overlay)} == set(kinds)
    for pod in pods(overlay):
        # Its own Secret, and those that hold no login. The owner's is setup's own.
        own = {"aftersales", f"aftersales-{kinds[pod.name]}"}
        assert pod.given >= own, pod.name
        assert not {name for name in pod.given - own if SECRETS[name] & DATABASES}, pod.name
        assert SECRETS[f"aftersales-{kinds[pod.name]}"] >= DATABASES
    assert not SECRETS["aftersales"] & DATABASES


@each_overlay
def test_files_are_where_they_are_read_and_nowhere_else(overlay: str) -> None:
    for pod in pods(overlay):
        component = pod.labels.get("app.kubernetes.io/component")
        secrets = {each["name"]: each["secret"]["secretName"] for each in pod.spec["volumes"] if "secret" in each}
        places = {each["mountPath"]: secrets.get(each["name"]) for each in pod.container["volumeMounts"]}
        paying = "aftersales-payment-files" in pod.files
        assert (places.get("/run/aftersales/payments") == "aftersales-payment-files") == paying
        assert (places.get("/run/aftersales/webhooks") == "aftersales-webhooks") == (component == "notifications")
        webhooks = pod.environment(rendered(overlay)).get("AFTERSALES_WEBHOOKS")
        assert webhooks == (None if overlay == "development" else "/run/aftersales/webhooks/webhooks.toml")


@each_overlay
def test_containers_run_commands_that_exist(overlay: str) -> None:
    for pod in pods(overlay):
        command = typer.main.get_command(application())
        for word in pod.container["args"]:
            assert isinstance(command, TyperGroup), pod.name
            command = command.commands[word]


@each_overlay
def test_probes_ask_paths_that_exist(overlay: str) -> None:
    served = set(re.findall(r'"(/\w+z)"', (ROOT / "starter" / "worker" / "health.py").read_text()))
    assert served
    for pod in workers(overlay).values():
        probes = {kind: pod.container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {probe["path"] for probe in probes.values()} <= served
        assert {probe["port"] for probe in probes.values()} <= set(pod.ports)
        assert probes["liveness"]["path"] == "/livez"
        assert probes["readiness"]["path"] == "/readyz"


@each_overlay
def test_the_http_service_is_asked_and_published_where_it_listens(overlay: str) -> None:
    (pod,) = [each for each in pods(overlay) if each.name == "aftersales-http"]
    environment = pod.environment(rendered(overlay))
    assert environment["AFTERSALES_HTTP_LISTEN"] == f"0.0.0.0:{pod.ports['http']}"
    assert environment["AFTERSALES_HEALTH_LISTEN"] == f"0.0.0.0:{pod.ports['health']}"
    assert environment["OTEL_EXPORTER_PROMETHEUS_PORT"] == str(pod.ports["metrics"])
    asked = [pod.container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert asked == [{"path": path, "port": "health"} for path in ("/startupz", "/livez", "/readyz")]
    (service,) = [
        each for each in rendered(overlay) if each["kind"] == "Service" and each["metadata"]["name"] == pod.name
    ]
    assert [each["port"] for each in service["spec"]["ports"]] == [pod.ports["http"]]


@each_overlay
def test_kubernetes_waits_longer_than_a_worker_takes_to_end(overlay: str) -> None:
    for pod in workers(overlay).values():
        grace = int(pod.environment(rendered(overlay))["AFTERSALES_GRACEFUL_SHUTDOWN_SECONDS"])
        assert pod.spec["terminationGracePeriodSeconds"] > grace + EXIT_SECONDS


@each_overlay
def test_nothing_has_rights_that_it_does_not_need(overlay: str) -> None:
    (account,) = [each for each in rendered(overlay) if each["kind"] == "ServiceAccount"]
    assert account["automountServiceAccountToken"] is False
    assert not [each for each in rendered(overlay) if each["kind"].endswith(("Role", "RoleBinding"))]
    for pod in pods(overlay):
        assert pod.spec["serviceAccountName"] == account["metadata"]["name"]
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        context = pod.container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert pod.container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in pod.container["resources"]["limits"]
        # A Service called aftersales-codec would put AFTERSALES_CODEC_... into every environment.
        assert pod.spec["enableServiceLinks"] is False


@each_overlay
def test_a_bill_fits_into_the_temporary_folder_of_who_reads_it_and_takes_no_memory_there(overlay: str) -> None:
    for pod in pods(overlay):
        (volume,) = [each for each in pod.spec["volumes"] if each["name"] == "tmp"]
        assert {"name": "tmp", "mountPath": "/tmp"} in pod.container["volumeMounts"]
        room = volume["emptyDir"]
        if pod.labels.get("app.kubernetes.io/component") == WorkerRole.MONEY:
            assert "medium" not in room
            assert int(room["sizeLimit"].removesuffix("Gi")) << 30 > max(alipay.LARGEST_BILL, wechatpay.LARGEST_BILL)
        else:
            assert room == {"medium": "Memory", "sizeLimit": "64Mi"}


def reachable(policies: list[Manifest], pod: Pod, direction: str) -> set[int]:
    """The ports that policies open for a pod, whatever is at the other end."""
    return {
        port["port"]
        for policy in policies
        if selects(policy["spec"]["podSelector"], pod.labels)
        for rule in policy["spec"].get(direction, [])
        for port in rule["ports"]
    }


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector means a pod with these labels."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])
    )


@each_overlay
def test_each_pod_may_speak_to_what_it_needs_and_to_nothing_else(overlay: str) -> None:
    policies = [each for each in rendered(overlay) if each["kind"] == "NetworkPolicy"]
    closed = [each for each in policies if not each["spec"]["podSelector"] and "egress" not in each["spec"]]
    assert [sorted(each["spec"]["policyTypes"]) for each in closed] == [["Egress", "Ingress"]]
    for pod in pods(overlay):
        environment = pod.environment(rendered(overlay))
        needed = {int(environment["TEMPORAL_ADDRESS"].rpartition(":")[2]), 5432, 53}
        needed.add(int(environment["OTEL_EXPORTER_OTLP_ENDPOINT"].rpartition(":")[2]))
        outside = (
            {443} if pod.labels.get("app.kubernetes.io/component") in {"money", "notifications", "http"} else set[int]()
        )
        assert reachable(policies, pod, "egress") == needed | outside, pod.name
        open_ports = set(pod.ports.values()) - {pod.ports.get("health")}
        assert reachable(policies, pod, "ingress") == open_ports, pod.name


@pytest.mark.parametrize(
    ("component", "opened"),
    [
        ("archive-in-bucket", {"aftersales-workflows"}),
        ("stores-in-cloud", {"aftersales-workflows", "aftersales-codec", "aftersales-setup"}),
    ],
)
def test_a_bucket_is_open_to_those_who_read_it_once_an_overlay_says_so(
    tmp_path: Path, component: str, opened: set[str]
) -> None:
    def named(path: Path) -> str:
        return os.path.relpath(path, tmp_path.resolve())

    overlay = {
        "resources": [named(KUBERNETES / "overlays" / "production-plain")],
        "components": [named(KUBERNETES / "components" / component)],
    }
    (tmp_path / "kustomization.yaml").write_text(json.dumps(overlay))
    with_it = [each for each in put_together(tmp_path) if each["kind"] == "NetworkPolicy"]
    without = [each for each in rendered("production-plain") if each["kind"] == "NetworkPolicy"]

    for each in with_it:
        check(each)
    more = {
        pod.name: reachable(with_it, pod, "egress") - reachable(without, pod, "egress")
        for pod in pods("production-plain")
    }
    assert {name: ports for name, ports in more.items() if ports} == {name: {443} for name in opened}


@each_overlay
def test_traces_go_where_their_protocol_is_spoken(overlay: str) -> None:
    for pod in pods(overlay):
        environment = pod.environment(rendered(overlay))
        protocol = environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        port = environment["OTEL_EXPORTER_OTLP_ENDPOINT"].rpartition(":")[2]
        assert port == {"http/protobuf": "4318", "grpc": "4317"}[protocol]


def autoscalers(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Who is scaled, and how, with and without versions."""
    for each in rendered(overlay):
        if each["kind"] == "ScaledObject":
            yield each["spec"]["scaleTargetRef"]["name"], each["spec"]
        elif each["kind"] == "WorkerResourceTemplate" and each["spec"]["template"]["kind"] == "ScaledObject":
            yield each["spec"]["workerDeploymentRef"]["name"], each["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", ["production", "production-plain"])
def test_every_role_is_scaled_on_its_queue_and_never_to_zero(overlay: str) -> None:
    scaled = dict(autoscalers(overlay))
    assert set(scaled) == {pod.name for pod in workers(overlay).values()}
    metrics = known_metrics()
    for role, pod in workers(overlay).items():
        queue = queue_of(WorkerRole(role), settings_of({}).task_queue)
        spec = scaled[pod.name]
        assert spec["minReplicaCount"] >= 1
        assert "replicas" not in pod.owner["spec"], "two would say how many"
        backlog, slots = spec["triggers"]
        assert backlog["type"] == "temporal"
        assert backlog["metadata"]["taskQueue"] == queue
        assert ("workflow" in backlog["metadata"]["queueTypes"]) == (role == WorkerRole.WORKFLOWS)
        environment = pod.environment(rendered(overlay))
        # The controller gives the address to the pods of a version, from the Connection.
        assert environment[backlog["metadata"]["endpointFromEnv"]]
        assert set(re.findall(r'task_queue="([^"]+)"', slots["metadata"]["query"])) == {queue}
        assert set(re.findall(r"temporal_\w+", slots["metadata"]["query"])) <= metrics


def known_metrics() -> set[str]:
    """The metrics of slots that the SDK has."""
    (bridge,) = [path for path in files("temporalio") or [] if path.name.startswith("temporal_sdk_bridge")]
    found = re.findall(rb"worker_task_slots_(?:available|used)", Path(str(bridge.locate())).read_bytes())
    return {f"temporal_{name.decode()}" for name in found}


def test_versions_get_what_the_controller_fills_in() -> None:
    for _, spec in autoscalers("production"):
        assert spec["scaleTargetRef"] == {}
        metadata = spec["triggers"][0]["metadata"]
        assert [metadata[key] for key in ("namespace", "workerDeploymentName", "workerDeploymentBuildId")] == [""] * 3
    allowed = yaml.safe_load((KUBERNETES / "worker-controller-values.yaml").read_text())
    kinds = {kind for each in allowed["workerResourceTemplate"]["allowedResources"] for kind in each["kinds"]}
    assert kinds == {
        each["spec"]["template"]["kind"] for each in rendered("production") if each["kind"] == "WorkerResourceTemplate"
    }


def test_a_roll_out_is_gated_by_a_workflow_that_exists_and_goes_step_by_step() -> None:
    gates = {role: pod.owner["spec"]["rollout"].get("gate") for role, pod in workers("production").items()}
    assert {role for role, gate in gates.items() if gate} == {WorkerRole.WORKFLOWS}, "others run no workflows"
    gate = gates[WorkerRole.WORKFLOWS]
    assert gate
    (workflow,) = [each for each in WORKFLOWS if each.__name__ == gate["workflowType"]]
    read = read_start((gate["input"],), workflow.__dict__["started_with"])
    assert isinstance(read, NoticeResendRequest)
    assert read.limit == 1
    for pod in workers("production").values():
        rollout = pod.owner["spec"]["rollout"]
        shares = [step["rampPercentage"] for step in rollout["steps"]]
        assert rollout["strategy"] == "Progressive"
        assert shares == sorted(set(shares))
        assert all(duration(step["pauseDuration"]) >= timedelta(seconds=30) for step in rollout["steps"])


def test_a_version_whose_cases_have_ended_stays_a_day_and_goes_in_one_go() -> None:
    for pod in workers("production").values():
        sunset = pod.owner["spec"]["sunset"]
        assert duration(sunset["scaledownDelay"]) >= timedelta(hours=1)
        # The autoscaler would start a version again that is scaled to zero and not deleted yet.
        assert duration(sunset["deleteDelay"]) == timedelta(0)


@each_overlay
def test_a_node_can_be_emptied_one_pod_at_a_time(overlay: str) -> None:
    budgets = [each["spec"] for each in rendered(overlay) if each["kind"] == "PodDisruptionBudget"]
    for pod in pods(overlay):
        if pod.owner["kind"] != "Deployment":
            continue
        (budget,) = [each for each in budgets if selects(each["selector"], pod.labels)]
        assert budget["maxUnavailable"] == 1


def test_every_file_is_used() -> None:
    named = {
        (path.parent / entry).resolve()
        for path in KUBERNETES.rglob("kustomization.yaml")
        for entry in _entries(yaml.safe_load(path.read_text()))
    }
    for path in KUBERNETES.rglob("*.yaml"):
        if path.name != "kustomization.yaml" and path.parent.name != "examples" and path.parent != KUBERNETES:
            assert path.resolve() in named, path


def test_the_example_of_external_secrets_has_every_key() -> None:
    example = yaml.safe_load_all((KUBERNETES / "examples" / "external-secrets.yaml").read_text())
    keys = {each["metadata"]["name"]: {entry["secretKey"] for entry in each["spec"]["data"]} for each in example}
    assert keys == {name: wanted for name, wanted in SECRETS.items() if wanted and name != "temporal-client-tls"}


def _entries(kustomization: Manifest) -> list[str]:
    patches = [each["path"] for each in kustomization.get("patches", []) if "path" in each]
    return [*kustomization.get("resources", []), *kustomization.get("configurations", []), *patches]


def mounts(pod: Pod) -> set[str]:
    """Where a pod has files of its own, or a place to write."""
    return {each["mountPath"] for each in pod.container["volumeMounts"]}


def duration(text: str) -> timedelta:
    """What Go understands by ``15m`` or ``1h30m``."""
    units = {"h": "hours", "m": "minutes", "s": "seconds"}
    parts = re.findall(r"(\d+)([hms])", text)
    assert "".join(f"{number}{unit}" for number, unit in parts) == text
    return timedelta(**{units[unit]: int(number) for number, unit in parts})
