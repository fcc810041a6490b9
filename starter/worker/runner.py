"""How workflow code is run: in the SDK's sandbox or without, and with or without versions.

This module is loaded in the sandbox of each case: it imports nothing that is slow to load.
"""

from dataclasses import replace
from typing import Final

from temporalio.common import VersioningBehavior
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from starter.worker.activations import ApartFromActivations, apart

PASSED_THROUGH: Final = (
    "workflows.messages",
    "workflows.rules",
    "workflows.kinds",
    "workflows.shell",
    "workflows.at_start",
    "workflows.queues",
    "workflows.starts",
    "workflows.unopened",
    "workflows.versions",
    "workflows.visibility",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "iso4217",
    "starter.worker.activations",
    "starter.worker.read_ahead",
    "starter.worker.runner",
)
"""Modules that hold no state a workflow could leak through; loading them anew for each case costs time and memory.

What decides, and what carries it out: neither reads a clock, nor draws, nor reaches outside, which
``tests/unit/test_passed_through.py`` holds them to, once and not in every case. The sandbox watches over the workflows'
own classes, and the small workflows beside the cases.
"""


class Unsandboxed(UnsandboxedWorkflowRunner):
    """Runs workflows as they are, and lets what an activation told them go once it is carried out."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See ``WorkflowRunner``."""
        return ApartFromActivations(super().create_instance(apart(det)))


class WithoutVersions(Unsandboxed):
    """Runs workflows that say how they behave between versions on a worker that has none.

    The SDK would send what they say all the same, and the server refuses it from such a worker.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See ``WorkflowRunner``."""
        silent = replace(det.defn, versioning_behavior=VersioningBehavior.UNSPECIFIED)
        return super().create_instance(replace(det, defn=silent))


def runner_for(*, sandboxed: bool, versioned: bool) -> WorkflowRunner:
    """What a worker runs workflows with."""
    inner = Unsandboxed if versioned else WithoutVersions
    if not sandboxed:
        return inner()
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions, runner_class=inner)
