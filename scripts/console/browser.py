"""A browser, driven over WebDriver (W3C) with the standard library alone."""

import base64
import http.client
import json
import subprocess
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {
    "Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c", "Up": "\ue013", "Down": "\ue015", "Delete": "\ue017",
    "Alt": "\ue00a", "F2": "\ue032", "F4": "\ue034", "Null": "\ue000", "Control": "\ue009",
}


class Driver:
    """The program that drives browsers; it ends with the `with`."""

    def __init__(self, program="chromedriver"):
        self.process = subprocess.Popen([program, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if "successfully on port" in line:
                self.port = int(line.rsplit("port", 1)[1].strip(" .\n"))
                break
        else:
            raise SystemExit("the driver of the browser does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message'].splitlines()[0]}")
        return value


class Browser:
    """One window with a profile of its own."""

    def __init__(self, driver, width=1440, height=900):
        self.driver = driver
        # Whatever is asked of another host finds nobody, so that nothing can be asked of one unnoticed.
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en", "--force-device-scale-factor=1",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--disable-background-networking",
            f"--window-size={width},{height}",
        ]
        capabilities = {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}
        self.path = "/session/" + driver.call("POST", "/session", {"capabilities": capabilities})["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("DELETE", "")

    def call(self, method, path, body=None):
        return self.driver.call(method, self.path + path, body)

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The value of a script's `return`."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        """What a script hands to its last argument."""
        return self.call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def wait(self, what, script, *arguments, seconds=30):
        """Waits until a script returns something that is true, and returns it."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script, *arguments)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}; the page says: {self.text()[:600]!r}")
            time.sleep(0.02)

    def text(self):
        return self.run("return document.body.innerText")

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click", {})

    def press(self, label, within="body"):
        """Presses the button or link that is called so."""
        while True:
            element = self.wait(f"a button {label!r}", """
                return [...document.querySelectorAll(arguments[1])].flatMap((root) => [...root.querySelectorAll('button, a')])
                  .find((one) => one.offsetParent !== null && !one.disabled && one.innerText.trim().startsWith(arguments[0])) ?? null""", label, within)
            try:
                return self.call("POST", f"/element/{element[ELEMENT]}/click", {})
            except RuntimeError as error:
                # The view was drawn anew meanwhile: the button is another one.
                if "stale element reference" not in str(error):
                    raise

    def type(self, *texts):
        """Types into whatever has the focus; names in KEYS are keys."""
        for text in texts:
            actions = []
            for key in [KEYS[text]] if text in KEYS else list(text):
                actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
            self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def fill(self, css, text):
        """Replaces what stands in a field."""
        self.run("document.querySelector(arguments[0]).focus(); document.querySelector(arguments[0]).select?.()", css)
        self.call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def size(self, width, height):
        """The size of the page, as a device has it, however small a window may be."""
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}})

    def colours(self, scheme):
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]}})

    def block(self, patterns):
        """Has requests to some addresses fail as if nobody were there."""
        self.call("POST", "/goog/cdp/execute", {"cmd": "Network.enable", "params": {}})
        self.call("POST", "/goog/cdp/execute", {"cmd": "Network.setBlockedURLs", "params": {"urls": patterns}})

    def picture(self, file):
        with open(file, "wb") as out:
            out.write(base64.b64decode(self.call("GET", "/screenshot")))

    def complaints(self):
        """What the console of the browser has said since it was asked, but for refusals, which are answers."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING") and "Failed to load resource" not in entry["message"]]

    def requests(self):
        """The addresses that were asked since it was asked."""
        urls = []
        for entry in self.call("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls
