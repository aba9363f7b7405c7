"""Signs in anew every second: what is asked for may end the session that asks for it."""

import json
import os
import urllib.request

import schemathesis


@schemathesis.auth(refresh_interval=1)
class Administrator:
    def get(self, _case, _context):
        request = urllib.request.Request(os.environ["NODE_BASE"] + "/json/realms/root/authenticate", b"{}", method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header("Accept-API-Version", "resource=2.1")
        request.add_header("X-OpenAM-Username", "amAdmin")
        request.add_header("X-OpenAM-Password", os.environ["NODE_PASSWORD"])
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["tokenId"]

    def set(self, case, token, _context):
        case.headers = dict(case.headers or {}, iPlanetDirectoryPro=token)
