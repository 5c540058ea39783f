"""oracle_said: what payload says: HTTP requests and responses, TLS and QUIC ClientHellos, DNS questions."""
import re
import struct

import quic

METHODS = ("connect", "delete", "get", "head", "options", "patch", "post", "put", "trace")


def read_fields(lines):
    fields = {}
    for x in lines:
        name, colon, value = x.partition(":")
        if colon:
            fields.setdefault(name.lower(), value.strip())
    return fields


def read_request(head):
    """The fields of a request by its header; None: it is none."""
    lines = head.decode("latin-1").split("\r\n")
    m = re.fullmatch(r"([!-~]+) (\S+) HTTP/1\.[01]", lines[0])
    if not m:
        return None
    fields = read_fields(lines[1:])
    host = fields.get("host", "").partition(":")[0] or None
    path = m[2]
    attributes = {}
    for pair in path.partition("?")[2].partition("#")[0].split("&"):
        name, _, value = pair.partition("=")
        if name:
            attributes.setdefault(name.lower(), value)
    method = m[1].lower()
    return {"http": True, "http host": host, "http url": (host or "") + path, "http uri": path,
            "http domain": re.sub("^www[.]", "", host, flags=re.I) if host else None,
            "http user-agent": fields.get("user-agent"), "http x-header": fields,
            "http attribute-in-url": attributes,
            "http request method": method if method in METHODS else None,
            "length": int(fields.get("content-length", "0"))}


class Responses:
    """The responses of a connection, one after the other, as the server's bytes come in order."""

    def __init__(self):
        self.data, self.skip, self.chunks, self.lost = b"", 0, False, False

    def feed(self, data, to_head):
        """More bytes; to_head: the request was HEAD. Gives (code, type) of each response whose header is
        whole."""
        self.data += data
        while self.data and not self.lost:
            n = min(self.skip, len(self.data))
            self.data, self.skip = self.data[n:], self.skip - n
            if self.skip or not self.data:
                return
            if self.chunks:
                line, end, rest = self.data.partition(b"\r\n")
                if not end:
                    return
                if line:                   # not the empty line behind a chunk
                    size = int(line, 16)
                    self.chunks = size > 0
                    self.skip = size + 2 if size else 2
                self.data = rest
                continue
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            m = re.match(rb"HTTP/1\.[01] ([1-5]\d\d)", head)
            if not m:
                self.lost = True
                return
            self.data = rest
            fields = read_fields(head.decode("latin-1").split("\r\n")[1:])
            if not to_head and int(m[1]) not in (204, 304):
                self.chunks = "transfer-encoding" in fields
                self.skip = int(fields.get("content-length", "0"))
            kind = fields.get("content-type")
            yield int(m[1]), kind and re.split("[; ]", kind)[0]


def read_hello(data):
    """server_name of the ClientHello at the beginning of a stream, as soon as it is there; "" where it has
    none; None: not yet."""
    try:
        return read_hello_message(data[5:5 + struct.unpack_from("!H", data, 3)[0]])
    except (struct.error, IndexError):
        return None


def read_hello_message(h):
    try:
        at = 38
        at += 1 + h[at]
        at += 2 + struct.unpack_from("!H", h, at)[0]
        at += 1 + h[at]
        end = at + 2 + struct.unpack_from("!H", h, at)[0]
        at += 2
        while at < end:
            kind, n = struct.unpack_from("!HH", h, at)
            if len(h) < at + 4 + n:
                return None
            if kind == 0:
                n = struct.unpack_from("!H", h, at + 7)[0]
                return h[at + 9:at + 9 + n].decode("latin-1")
            at += 4 + n
        return ""
    except (struct.error, IndexError):
        return None


class Quic:
    """The ClientHello in the Initial packets of a client."""

    def __init__(self):
        self.dcid, self.pieces = None, {}

    def feed(self, data):
        """A datagram of the client: its name as read_hello(); False: there is none in it."""
        if not data[0] & 0x80 or data[1:5] != b"\0\0\0\1" or data[0] & 0x30:
            return False
        dcid = data[6:6 + data[5]]
        self.dcid = self.dcid or dcid
        for offset, piece in quic.crypto(data, self.dcid):
            self.pieces[offset] = piece
        whole = b""
        while len(whole) in self.pieces:
            whole += self.pieces[len(whole)]
        return read_hello_message(whole) if whole else None


def read_question(data):
    """The name that a DNS message is about: an answer has the question too."""
    if len(data) < 12 or struct.unpack_from("!H", data, 4)[0] == 0:
        return None
    at, labels = 12, []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels)
