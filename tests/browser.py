"""A real browser, without a window, driven over its DevTools socket: https://chromedevtools.github.io/devtools-protocol/."""

import asyncio
import base64
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 20

in_a_browser = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"),  # there it is installed: its absence is a failure
    reason="no Chromium here: apt-get install chromium has one",
)


class Navigated(Exception):
    """The page went away while it was asked."""


class Page:
    """One tab, as large as a phone."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0
        self._session = ""
        self._own: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []

    async def open(self) -> None:
        """With cookies and workers of its own, that are gone with the socket."""
        context = await self.say("Target.createBrowserContext", disposeOnDetach=True)
        self._own = {"browserContextId": context["browserContextId"]}
        target = await self.say("Target.createTarget", url="about:blank", **self._own)
        attached = await self.say("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "ServiceWorker"):
            await self.say(f"{domain}.enable")
        await self.say(
            "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True
        )

    async def say(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send(
            orjson.dumps({"id": self._asked, "method": method, "params": params, **session}).decode()
        )
        while True:
            frame = orjson.loads(await self._socket.recv())
            if frame.get("id") == self._asked:
                if "navigated" in frame.get("error", {}).get("message", ""):
                    raise Navigated
                assert "error" not in frame, frame
                return dict(frame["result"])
            self.events.append(frame)

    async def may_notify(self, origin: str) -> None:
        await self.say("Browser.grantPermissions", origin=origin, permissions=["notifications"], **self._own)

    async def go(self, address: str) -> None:
        """To another page, even where only what stands behind the # is new."""
        await self.say("Page.navigate", url="about:blank")
        await self.say("Page.navigate", url=address)

    async def value(self, expression: str) -> Any:
        found = await self.say(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def in_worker(self, expression: str) -> Any:
        """Its value in the service worker of this page."""
        (own,) = [
            one["targetId"]
            for one in (await self.say("Target.getTargets"))["targetInfos"]
            if one["type"] == "service_worker"
            and one.get("browserContextId") == self._own["browserContextId"]
        ]
        worker = Page(self._socket)
        worker._session = (await self.say("Target.attachToTarget", targetId=own, flatten=True))["sessionId"]
        return await worker.value(expression)

    async def until(self, expression: str) -> Any:
        """Its value, once it is true."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (value := await self._now(expression)):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never: {expression}\n{await self.text()}") from None
        return value

    async def _now(self, expression: str) -> Any:
        try:
            return await self.value(expression)
        except Navigated:
            return None

    async def text(self) -> str:
        return str(await self.value("document.body.innerText"))

    async def tap(self, selector: str) -> None:
        await self.until(f"document.querySelector({selector!r})?.checkVisibility()")
        # Later, so that the answer to this is here before the page is gone that it may lead away from.
        await self.value(f"void setTimeout(() => document.querySelector({selector!r}).click())")

    async def write(self, selector: str, text: str) -> None:
        await self.until(f"document.querySelector({selector!r})?.checkVisibility()")
        await self.value(f"document.querySelector({selector!r}).value = {text!r}")

    async def look(self, scheme: str) -> None:
        await self.say(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    async def screenshot(self, path: Path, scheme: str = "light") -> None:
        await self.look(scheme)
        taken = await self.say("Page.captureScreenshot")
        path.write_bytes(base64.b64decode(taken["data"]))

    def complaints(self) -> list[str]:
        """What the browser found wrong: refused by the policy, thrown by a script."""
        found = [event["params"] for event in self.events if event.get("method") in WRONG]
        return [str(one) for one in found if one.get("entry", {}).get("level") in (None, "error")]


WRONG = ("Log.entryAdded", "Runtime.exceptionThrown")
FAINT = """[...document.querySelectorAll("input, textarea, .scores span")]
  .filter((one) => one.checkVisibility({ opacityProperty: true }) && !one.matches(":checked + span"))
  .filter((one) => {
    const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const { borderTopColor: edge, backgroundColor: ground } = getComputedStyle(one);
    const [dark, bright] = [edge, ground].map(light).sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05) < 3;
  }).map((one) => one.outerHTML)"""
"""Fields whose edge is hardly seen: https://www.w3.org/WAI/WCAG22/Understanding/non-text-contrast.html."""
LOSE_THE_NEXT_ANSWER = """void (window.whole = window.fetch, window.fetch = async (...asked) => {
  await window.whole(...asked);
  throw new TypeError("lost");
})"""
"""Until `window.fetch = window.whole`."""


@asynccontextmanager
async def browsing(browser: str) -> AsyncIterator[Page]:
    async with connect(browser, max_size=None) as socket:
        page = Page(socket)
        await page.open()
        yield page


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[str]:
    """The address of one that runs as long as the tests."""
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--accept-lang=en",
            f"--user-data-dir={folder}",
            "--remote-debugging-port=0",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield await _address(Path(folder) / "DevToolsActivePort")
        finally:
            process.terminate()
            await process.wait()


async def _address(file: Path) -> str:
    async with asyncio.timeout(PATIENCE):
        while not file.exists() or file.read_text().count("\n") < 1:
            await asyncio.sleep(0.02)
    port, path = file.read_text().split("\n")
    return f"ws://127.0.0.1:{port}{path}"


@pytest.fixture
async def phone(browser: str) -> AsyncIterator[Page]:
    """As small as they come."""
    async with browsing(browser) as page:
        await page.say(
            "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
        )
        yield page
        assert page.complaints() == []
