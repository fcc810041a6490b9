"""The browser of the other tests with one."""

from tests.browser.conftest import browser, browser_page

__all__ = ["browser", "browser_page"]
