#!/usr/bin/env python3
"""Receives webhooks from Ferry: checks the signature of each, and prints its body, one JSON object a
line.

receive.py [PORT], by default 8710. FERRY_WEBHOOK_SECRET is the account's `webhook_secret`. Needs the
package `standardwebhooks`.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

try:
    from standardwebhooks import Webhook, WebhookVerificationError
except ImportError:
    sys.exit("install the package `standardwebhooks`: python3 -m pip install standardwebhooks")

if not os.environ.get("FERRY_WEBHOOK_SECRET"):
    sys.exit("set FERRY_WEBHOOK_SECRET to the secret that Ferry signs with")
try:
    WEBHOOK = Webhook(os.environ["FERRY_WEBHOOK_SECRET"])
except Exception as error:
    sys.exit(f"FERRY_WEBHOOK_SECRET is no secret of Ferry, which begins with `whsec_`: {error}")
LARGEST = 1 << 20

# Ids of earlier webhooks. A real receiver stores each id together with its effect.
received = set()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST:
            self.close_connection = True
            return self.respond(413)
        body = self.rfile.read(length)
        try:
            notice = WEBHOOK.verify(body, dict(self.headers))
        except WebhookVerificationError as error:
            print(f"not accepted: {error}", file=sys.stderr)
            return self.respond(400)
        # A webhook that got no response in time is delivered again, with the same id.
        if self.headers["webhook-id"] not in received:
            received.add(self.headers["webhook-id"])
            # In one piece: others may be printing.
            sys.stdout.write(json.dumps(notice) + "\n")
            sys.stdout.flush()
        return self.respond(204)

    def respond(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    port = sys.argv[1] if len(sys.argv) > 1 else "8710"
    if len(sys.argv) > 2 or not port.isdecimal():
        sys.exit("usage: receive.py [PORT]")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot listen on port {port}: {error}")
    print(f"listening on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


main()
