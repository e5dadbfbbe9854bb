"""httplint over raw answers to GET, HEAD and conditional requests; REDbot over what it asks itself. Usage: lint.py URL"""

import json
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from httplint import HttpRequestLinter, HttpResponseLinter, levels


def exchange(address, method, path, headers=(), body=b""):
    """The answer to one request on a connection of its own: status, reason, headers, body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {address}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in ("PUT", "POST", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, rest = received.partition(b"\r\n\r\n")
    top, *fields = head.split(b"\r\n")
    version, status, reason = top.split(b" ", 2)
    fields = [tuple(part.strip() for part in field.split(b":", 1)) for field in fields]
    return version, status, reason, fields, rest


def value_of(fields, name):
    return next((value.decode() for given, value in fields if given.lower() == name), None)


def lint(address, method, path, headers, expected):
    version, status, reason, fields, body = exchange(address, method, path, headers)
    request = HttpRequestLinter()
    request.process_request_topline(method.encode(), f"http://{address}{path}".encode(), b"1.1")
    request.process_headers([(b"Host", address.encode())] + [(n.encode(), v.encode()) for n, v in headers])
    request.finish_content(True, [])
    response = HttpResponseLinter()
    response.request = request
    response.is_head_response = method == "HEAD"
    response.process_response_topline(version.partition(b"/")[2], status, reason)
    response.process_headers(fields)
    if body:
        response.feed_content(body)
    response.finish_content(True, [])
    name = f"{method} {path} {dict(headers)}"
    bad = [] if int(status) == expected else [f"{name}: {status.decode()} instead of {expected}"]
    for note in response.notes:
        if note.level == levels.BAD:
            bad.append(f"{name}: {note.summary}")
    return fields, bad


def redbot(url):
    """What REDbot finds bad, of all the requests that it makes to `url`."""
    command = [Path(sys.executable).with_name("redbot"), "-o", "har", url]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if run.returncode != 0:
        return [f"REDbot failed for {url}: {run.stderr.strip()[-500:]}"]
    bad, notes = [], 0
    for entry in json.loads(run.stdout)["log"]["entries"]:
        for note in entry.get("_red_messages", []):
            notes += 1
            if note["level"].lower() == "bad":
                bad.append(f"REDbot of {url}: {note['note_id']}: {note['summary']}")
    return bad or ([] if notes else [f"REDbot said nothing about {url}"])


def main():
    url = sys.argv[1]
    address = urlsplit(url).netloc
    document = "/v1/kv/lint/document"
    for path, kind, body in [(document, "application/json", b'{"a": 1}'), ("/v1/kv/lint/text", "text/plain", b"text")]:
        exchange(address, "PUT", path, [("Content-Type", kind)], body)
    fields = exchange(address, "GET", document)[3]
    etag, modified = value_of(fields, b"etag"), value_of(fields, b"last-modified")
    since = value_of(fields, b"etag").strip('"').split("-")[0]
    cases = [(document, [], 200), ("/v1/kv/lint/text", [], 200)]
    cases += [(path, [], 200) for path in (f"{document}?at={since}", "/v1/kv?prefix=lint/&limit=1", "/healthz",
              "/readyz", "/metrics", "/openapi.json", "/problems/", "/problems/stale-revision", "/v1/watch?since=1",
              "/v1/history/lint/document")]
    cases += [
        ("/problems/in-use", [("Accept", "text/html")], 200),
        (document, [("If-None-Match", etag)], 304),
        (document, [("If-None-Match", f'"other", W/{etag}')], 304),
        (document, [("If-Modified-Since", modified)], 304),
        (document, [("If-Match", etag)], 200),
        (document, [("If-Match", '"other"')], 412),
        (document, [("If-Match", "other")], 400),
        ("/v1/kv/lint/none", [], 404),
        (f"{document}?at=1", [], 410),
        ("/v1/kv/a//b", [], 400),
        ("/none", [], 404),
    ]
    bad, count = [], 0
    for path, headers, expected in cases:
        heads = {}
        for method in ("GET", "HEAD"):
            fields, found = lint(address, method, path, headers, expected)
            count += 1
            bad += found
            heads[method] = {name.lower(): value for name, value in fields if name.lower() != b"date"}
        # RFC 9110 9.3.2: the same header fields, but for those of the content.
        for name in set(heads["GET"]) & set(heads["HEAD"]):
            if heads["GET"][name] != heads["HEAD"][name] and b"metrics" not in path.encode():
                bad.append(f"{path}: {name.decode()} of HEAD is not that of GET")
    checked = [document, "/v1/kv/lint/text", "/v1/kv?prefix=lint/", "/openapi.json", "/problems/stale-revision"]
    for path in checked:
        bad += redbot(url + path)
    print(f"httplint: {count} answers, REDbot: {len(checked)} resources, {len(bad)} errors")
    print("\n".join(bad))
    sys.exit(1 if bad else 0)


main()
