"""A receiver of webhooks for tests, which verifies by the lines that docs/webhooks.md gives for Python.

    WEBHOOK_SECRET=whsec_… webhooks.py

Its first line on stdout is {"port":N}. Each call is told as {"event":"call","type",…} once it was verified, or as
{"event":"refused"}. Commands, one JSON object a line on stdin: {"cmd":"secret","secret"} to verify by another one.
"""

import http.server
import json
import os
import re
import sys
import threading

DOCS = os.path.join(os.path.dirname(__file__), "../../docs/webhooks.md")
SNIPPET = re.search(r"```python\n(.*?)```", open(DOCS, encoding="utf-8").read(), re.S).group(1)
place = {}


def learn(secret):
    os.environ["WEBHOOK_SECRET"] = secret
    exec(compile(SNIPPET, "docs/webhooks.md", "exec"), place)


def tell(event):
    print(json.dumps(event), flush=True)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            event = place["take"](dict(self.headers), body)
            tell({"event": "call", "path": self.path, "name": self.headers["webhook-id"], "body": event})
            status = 204
        except Exception as error:
            tell({"event": "refused", "why": type(error).__name__})
            status = 400
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


learn(os.environ.get("WEBHOOK_SECRET", "whsec_AAAA"))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell({"port": server.server_port})
for line in sys.stdin:
    command = json.loads(line)
    learn(command["secret"])
    tell({"event": "done"})
