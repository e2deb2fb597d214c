"""A headless Chromium, driven through chromedriver by the few WebDriver commands that the tests need."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
REQUIRED = "IMCONVERT_TEST_BROWSER"
"""Set where the tests in the browser must not be skipped."""

missing = not (CHROMIUM and DRIVER) and not os.environ.get(REQUIRED)

_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
          "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage")  # fmt: skip


class Browser:
    """One window. Every call raises AssertionError with the driver's words if it fails."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client = client
        self._session = session

    def _call(self, method: str, path: str, **body: Any) -> Any:
        reply = self._client.request(method, f"/session/{self._session}{path}", json=body if method == "POST" else None)
        value = reply.json()["value"]
        assert reply.is_success, value
        return value

    def open(self, url: str) -> None:
        self._call("POST", "/url", url=url)

    def run(self, script: str) -> Any:
        """What the body of a function returns."""
        return self._call("POST", "/execute/sync", script=script, args=[])

    def text(self, name: str) -> str:
        """The visible text of the element with this id."""
        return str(self.run(f"return document.getElementById({name!r}).innerText"))

    def devtools(self, command: str, **values: Any) -> Any:
        return self._call("POST", "/goog/cdp/execute", cmd=command, params=values)

    def look(self, *, width: int = 1100, height: int = 900, dark: bool = False) -> None:
        """Set the size of the window and the scheme of colours."""
        phone = width < 500
        size = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Keep what the window shows as PNG, all of its height."""
        found = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def complaints(self) -> list[str]:
        """What the console was told since the last time, such as violations of the policy."""
        return [entry["message"] for entry in self._call("POST", "/se/log", type="browser")]

    def quit(self) -> None:
        self._call("DELETE", "")


@contextmanager
def open_browser(profile: Path, language: str = "en-US") -> Iterator[Browser]:
    """A new Chromium with a profile of its own."""
    assert CHROMIUM, "chromium is not installed"
    assert DRIVER, "chromedriver is not installed"
    driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert driver.stdout is not None
        found = next(
            (m for line in driver.stdout if (m := re.search(r"started successfully on port (\d+)", line))), None
        )
        assert found, "chromedriver did not start"
        with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=120, trust_env=False) as client:
            arguments = [*_FLAGS, f"--user-data-dir={profile}", f"--lang={language}", f"--accept-lang={language}"]
            options = {"binary": CHROMIUM, "args": arguments}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            reply = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
            assert "sessionId" in reply, reply
            browser = Browser(client, reply["sessionId"])
            try:
                yield browser
            finally:
                browser.quit()
    finally:
        driver.terminate()
        driver.communicate(timeout=60)
