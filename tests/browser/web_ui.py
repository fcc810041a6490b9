"""Temporal's Web UI as an operator uses it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote

from temporalio.client import WorkflowHandle

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page


class Picture(Protocol):
    """Keeps a picture of a page under a name, where somebody has asked for pictures."""

    async def __call__(self, page: Page, name: str, height: int = 1_250) -> None: ...


PATIENCE = 120_000
"""Milliseconds for what a busy machine does at length."""


@dataclass(frozen=True)
class WorkflowPage:
    """The page of one workflow."""

    page: Page
    address: str

    @classmethod
    async def of(cls, page: Page, ui_address: str, handle: WorkflowHandle[Any, Any]) -> WorkflowPage:
        """The page of the workflow's current run."""
        run_id = (await handle.describe()).run_id
        return cls(page, f"{ui_address}/namespaces/default/workflows/{quote(handle.id, safe='')}/{run_id}")

    async def open(self, tab: str = "history") -> None:
        """Go there anew, or to one of its tabs."""
        await self.page.goto(f"{self.address}/{tab}")
        await self._visible(self.page.get_by_role("button", name="More Actions")).wait_for(timeout=PATIENCE)

    @property
    def input(self) -> Locator:
        """What the workflow was started with."""
        return self.page.locator('.cm-content[aria-label="Input"]').first

    def metadata(self, part: Literal["summary", "details", "current-details"]) -> Locator:
        """A part of the tab `user-metadata`; each is a document of its own."""
        return self.page.frame_locator(f"#user-metadata-{part}").locator("body")

    @property
    def failed_to_decode(self) -> Locator:
        """The line that says so, whatever the reason."""
        return self._visible(self.page.get_by_text("Codec Server could not connect"))

    async def decode_by(self, endpoint: str) -> None:
        """Set the codec server in this browser, as an auditor does."""
        await self._visible(self.page.locator("[data-testid^=data-encoder-status]")).click()
        dialog = self.page.locator("dialog[open]")
        await dialog.get_by_text("Use my browser setting").click()
        await dialog.locator("textarea").fill(endpoint)
        await dialog.get_by_test_id("confirm-modal-button").click()
        await dialog.wait_for(state="detached")

    def example(self, command: str) -> Locator:
        """What the current details say to paste for a command."""
        line = self.metadata("current-details").locator("li", has_text=re.compile(rf"^{command} \("))
        return line.locator("code")

    async def send(self, kind: Literal["Signal", "Update"], name: str, content: object) -> None:
        """Send a signal or an update, with this JSON typed in."""
        dialog = await self._submit(kind, name, content)
        await dialog.wait_for(state="detached", timeout=PATIENCE)

    async def send_in_vain(self, name: str, content: object, why: str) -> None:
        """Send an update that is refused; the dialog says why, and is closed again."""
        dialog = await self._submit("Update", name, content)
        await dialog.get_by_text(why).wait_for(timeout=PATIENCE)
        await dialog.get_by_test_id("cancel-modal-button").press("Enter")
        await dialog.wait_for(state="detached", timeout=PATIENCE)

    async def _submit(self, kind: Literal["Signal", "Update"], name: str, content: object) -> Locator:
        await self._visible(self.page.get_by_role("button", name="More Actions")).click()
        await self._visible(self.page.get_by_role("menuitem", name=f"Send a{'n' * (kind == 'Update')} {kind}")).click()
        dialog = self.page.locator("dialog[open]")
        await dialog.get_by_test_id(f"{kind.lower()}-select-button").click()
        await dialog.get_by_role("option", name=re.compile(rf"^\s*{name}\b")).first.click()
        await dialog.locator(".cm-content").fill(json.dumps(content, ensure_ascii=False))
        # Not a click: the dialog grows as the text is laid out, and the button moves away under the mouse.
        await dialog.get_by_test_id("confirm-modal-button").press("Enter")
        return dialog

    def _visible(self, found: Locator) -> Locator:
        # Much stands on the page twice: in its header, and in one that appears when it is scrolled.
        return found.locator("visible=true").first
