"""Chromium, driven by what chromium-driver speaks (WebDriver), and nothing else."""
import base64, json, shutil, subprocess, time, urllib.request
from urllib.error import HTTPError

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def there():
    return shutil.which("chromedriver") and shutil.which("chromium")


class Chrome:
    def __init__(self, width=1200, height=900, dark=False):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if "started successfully on port " in line:
                self.base = "http://127.0.0.1:" + line.split(" on port ")[1].strip(" .\n")
                break
        # Root may not use the sandbox of Chromium; what is shown here is our own.
        args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                f"--window-size={width},{height}"]
        wants = {"browserName": "chrome", "goog:chromeOptions": {"args": args}, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wants}})
        self.base += "/session/" + session["sessionId"]
        self.look(width, height, dark)

    def look(self, width, height, dark=False, phone=False):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.cdp("Emulation.setEmulatedMedia", features=media)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"].split("\n")[0]) from None

    def cdp(self, command, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click", {})

    def type(self, css, text):
        at = self.find(css)
        self.call("POST", f"/element/{at}/clear", {})
        self.call("POST", f"/element/{at}/value", {"text": text})

    def text(self, css="main"):
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def until(self, so, what, within=10.0):
        """Looks until it is so, as a person would; gives the seconds that it took."""
        began = time.monotonic()
        while not (got := so()):
            assert time.monotonic() - began < within, f"not so within {within} s: {what}"
            time.sleep(0.02)
        return time.monotonic() - began

    def console(self):
        """What the console holds beside notes."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"}) if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self, path):
        tall = self.run("return Math.ceil(document.documentElement.getBoundingClientRect().height)")
        wide = self.run("return innerWidth")
        clip = {"x": 0, "y": 0, "width": wide, "height": min(max(tall, 400), 1400), "scale": 1}
        shot = self.cdp("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()
