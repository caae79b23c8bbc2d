"""Answers with its name; standard library only, so that its image needs no libraries."""

from __future__ import annotations

import http.server
import os
import sys


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = os.environ["NAME"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


host, port = sys.argv[1:]
http.server.ThreadingHTTPServer((host, int(port)), Web).serve_forever()
