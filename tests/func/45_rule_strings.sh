#!/bin/bash
# Ruledef lines that look into the application: HTTP host, url and user-agent, TLS server name, DNS
# question and applications found by nDPI, with every string operator.
export BED_SUBSCRIBERS=80
. "${0%/*}/lib/traffic.sh"
t_begin

cat >"$BED/table.py" <<'ROWS'
V6 = {"six": True}
BT = b"\x13BitTorrent protocol" + bytes(8) + b"h" * 20 + b"-TR3000-abcdefghijkl"
TABLE = [
    ("host-eq", ["http host = www.Example.test"],
     [("http", "www.example.test"), ("http", "WWW.EXAMPLE.TEST:80"),
      ("http", "www.example.test", V6)],
     [("http", "xwww.example.test"), ("http", None), ("tls", "www.example.test"),
      ("tcp", b"no protocol at all\n" * 3)]),
    ("host-ne", ["http host != www.example.test"], [("http", "other.test")],
     [("http", "www.example.test"), ("http", None)]),
    ("host-contains", ["http host contains ample"], [("http", "www.example.test")],
     [("http", "www.test")]),
    ("host-ncontains", ["http host !contains ample"], [("http", "www.test")],
     [("http", "www.example.test")]),
    ("host-starts", ["http host starts-with www."], [("http", "www.test")],
     [("http", "a.www.test")]),
    ("host-nstarts", ["http host !starts-with www."], [("http", "a.www.test")],
     [("http", "www.test")]),
    ("host-ends", ["http host ends-with .test"], [("http", "www.test")],
     [("http", "www.test.org")]),
    ("host-nends", ["http host !ends-with .test"], [("http", "www.test.org")],
     [("http", "www.test")]),
    ("host-regex", ["http host regex ^v[0-9]+[.]video"], [("http", "v42.video.test")],
     [("http", "vx.video.test")]),
    ("host-present", ["http host present"], [("http", "any.test")], [("http", None)]),
    ("host-case", ["http host case-sensitive = Www.test"], [("http", "Www.test")],
     [("http", "www.test")]),
    ("url-eq", ["http url = www.test/a?b=c"], [("http", "www.test", "/a?b=c")],
     [("http", "www.test", "/a")]),
    ("url-contains", ["http url contains /video/"], [("http", "x.test", "/list/video/1")],
     [("http", "x.test", "/list")]),
    ("url-starts", ["http url starts-with x.test/pics"], [("http", "x.test", "/pics/1")],
     [("http", "y.test", "/pics/1")]),
    ("url-ends", ["http url ends-with .mp4"], [("http", "x.test", "/film.MP4")],
     [("http", "x.test", "/film.mp3")]),
    ("url-case", ["http url case-sensitive ends-with .mp4"], [("http", "x.test", "/film.mp4")],
     [("http", "x.test", "/film.MP4")]),
    ("url-regex", ["http url regex /[0-9]{4}/"], [("http", "x.test", "/a/2024/b")],
     [("http", "x.test", "/a/24/b")]),
    ("agent-eq", ["http user-agent = Probe/1.0"], [("http", "x.test", "/", "Probe/1.0")],
     [("http", "x.test", "/", "Probe/1.1")]),
    ("agent-contains", ["http user-agent contains robot"],
     [("http", "x.test", "/", "A Robot here")],
     [("http", "x.test", "/", "browser"), ("http", "x.test")]),
    ("agent-absent", ["http user-agent !present"], [], [("http", "x.test", "/", "browser")]),
    ("http-any", ["http any-match = TRUE"], [("http", "x.test"), ("http", None)],
     [("tls", "x.test")]),
    ("sni-eq", ["tls sni = secure.test"], [("tls", "secure.test"), ("tls", "secure.test", V6)],
     [("tls", "secure.test.org"), ("http", "secure.test")]),
    ("sni-ne", ["tls sni != secure.test"], [("tls", "other.test")],
     [("tls", "secure.test"), ("http", "x.test")]),
    ("sni-contains", ["tls sni contains cure"], [("tls", "secure.test")], [("tls", "open.test")]),
    ("sni-starts", ["tls sni starts-with secure"], [("tls", "secure.test")],
     [("tls", "insecure.test")]),
    ("sni-ends", ["tls sni ends-with .video.test"], [("tls", "a.video.test")],
     [("tls", "video.test")]),
    ("sni-nends", ["tls sni !ends-with .video.test"], [("tls", "video.test")],
     [("tls", "a.video.test")]),
    ("sni-regex", ["tls sni regex ^cdn-[a-z]+[.]"], [("tls", "cdn-eu.test")],
     [("tls", "cdn-7.test")]),
    ("sni-present", ["tls sni present"], [("tls", "any.test")], [("http", "any.test")]),
    ("dns-eq", ["dns query-name = www.test"], [("dns", "www.test"),
                                               ("dns", "WWW.test", {"tcp": True}),
                                               ("dns", "www.test", V6)], [("dns", "www.test.org")]),
    ("dns-ends", ["dns query-name ends-with .test"], [("dns", "a.b.test")],
     [("dns", "test"), ("dns", "a.test.org", {"tcp": True})]),
    ("dns-contains", ["dns query-name contains ads"], [("dns", "my.ads.org")], [("dns", "my.org")]),
    ("dns-starts", ["dns query-name starts-with _sip"], [("dns", "_sip.test")],
     [("dns", "sip.test")]),
    ("dns-ne", ["dns query-name != www.test"], [("dns", "mail.test")], [("dns", "www.test")]),
    ("dns-regex", ["dns query-name regex ^[0-9a-f]{8}[.]"], [("dns", "0badcafe.test")],
     [("dns", "cafe.test")]),
    ("app-bittorrent", ["p2p protocol = bittorrent"], [("tcp", BT, {"port": 6881})],
     [("http", "x.test")]),
    ("app-ssh", ["p2p protocol = ssh"], [("tcp", b"SSH-2.0-OpenSSH_9.2\r\n",
                                          {"port": 22, "answer": b"SSH-2.0-OpenSSH_9.2\r\n"})],
                                          [("tls", "x.test")]),
    ("app-http", ["p2p protocol = http"], [("http", "x.test")], [("tls", "x.test")]),
    ("app-dns", ["p2p protocol = dns"], [("dns", "x.test")], [("udp", 7000)]),
    ("both-lines", ["http host = a.test", "http url contains /b"], [("http", "a.test", "/b")],
     [("http", "a.test", "/c"), ("http", "c.test", "/b")]),
    ("either-line", ["http host = a.test", "tls sni = a.test", "multi-line-or all-lines"],
     [("http", "a.test"), ("tls", "a.test")], [("http", "b.test"), ("tls", "b.test")]),
    ("layers", ["http host = a.test", "ip version = ipv4"], [("http", "a.test")],
     [("http", "a.test", V6)]),
]
ROWS
bed_config_charging() { python3 "$T_LIB/ruletable.py" "$BED/table.py"; }
t_pair
t_python <<'END'
import ruletable
from traffic import *

ruletable.run(t, ruletable.load(t.bed.path("table.py")))
t.quiet()
t.balanced("a", "b")
t.end()
END
