#!/bin/bash
# ecsreplay gets through every capture of the folder shared/pcaps beside the tree, counts all
# frames, and what its flows have is what its rules have.
. "${0%/*}/lib/traffic.sh"
PCAPS=$T_LIB/../../../../shared/pcaps
[ -d "$PCAPS" ] || t_skip "no folder shared/pcaps beside the tree"
[ -x "$BUILD/ecsreplay" ] || t_skip "$BUILD/ecsreplay is not built"
PYTHONPATH=$T_LIB PYTHONDONTWRITEBYTECODE=1 python3 - "$PCAPS" "$BUILD/ecsreplay" "$T_LIB/../../../examples/pair-a.conf" <<'END'
import glob
import json
import os
import struct
import subprocess
import sys

folder, exe, config = sys.argv[1:4]
del sys.argv[1:]
failed = 0


def frames(path):
    """Frames of a capture, counted by its headers alone; what is cut at the end does not count."""
    with open(path, "rb") as f:
        d = f.read()
    n = 0
    if d[:4] == b"\x0a\x0d\x0d\x0a":
        order, at = "<", 0
        while at + 12 <= len(d):
            if d[at:at + 4] == b"\x0a\x0d\x0d\x0a":
                order = "<" if d[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            kind, size = struct.unpack_from(order + "II", d, at)
            n += kind in (2, 3, 6)
            at += size
        return n
    order, at = "<" if d[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">", 24
    while at + 16 <= len(d):
        at += 16 + struct.unpack_from(order + "I", d, at + 8)[0]
        n += at <= len(d)
    return n


def run(*argv):
    p = subprocess.run([exe, "-c", config, *argv], capture_output=True, text=True, check=False,
                       timeout=60)
    return p.returncode, p.stdout, p.stderr


def check(good, text, *seen):
    global failed
    if not good:
        failed += 1
        print(f"FAIL {text}: {seen}"[:600], flush=True)
    return good


apps = {}
files = sorted(glob.glob(os.path.join(folder, "*.pcap")) + glob.glob(os.path.join(folder,
        "*.pcapng")))
for path in files:
    name, before = os.path.basename(path), failed
    rc, out, err = run("--flows", "--json", path)
    if not check(rc == 0, f"{name}: status {rc}", err[-300:]):
        continue
    flows = json.loads(out)
    rc, out, err = run("--rules", "--json", path)
    rules = json.loads(out)
    check(flows["frames"] == frames(path), f"{name}: frames", flows["frames"], frames(path))
    for way in ("up", "down"):
        by_flow = sum(f["bytes_" + way] for f in flows["flows"])
        by_rule = sum(r["bytes_" + way] for r in rules["rules"])
        # what belongs to no flow, or is discarded, is on one side alone: the rest must be equal
        check(by_flow <= by_rule or any(r["hits"] > r["packets_up"] + r["packets_down"]
                                        for r in rules["rules"]),
              f"{name}: bytes {way} of flows in rules", by_flow, by_rule)
    check(all(r["hits"] > 0 for r in rules["rules"]),
          f"{name}: only rules that were hit are printed")
    rc, text, err = run(path)
    check(rc == 0 and len(text.splitlines()) == len(flows["flows"]),
          f"{name}: the text has a line per flow", len(flows["flows"]))
    for f in flows["flows"]:
        apps[f["app"]] = apps.get(f["app"], 0) + 1
    if failed == before:
        print(f"ok   {name}: {flows['frames']} frames, {len(flows['flows'])} flows, {len(rules['rules'])} rules", flush=True)
check(len(files) > 0, "captures were found")
print(f"{len(files)} captures")
sys.exit(1 if failed else 0)
END
exit $?
