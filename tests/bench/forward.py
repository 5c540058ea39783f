#!/usr/bin/env python3
"""forward: how many packets one session manager forwards; called by forward.sh on a bed of topology.sh.

forward.py DIRECTORY BUILD SESSIONS TURNS JSON

Datagrams of all sessions come faster than they can be forwarded. Who forwards has a processor of its own:
the session manager of the active chassis, with 2048 rules and both replicas on, and in turns with it a loop
that reads from one TUN device and writes to another (pps copy). Medians of the turns, of a whole processor:

  forward_kpps       thousands of packets a second through the session manager
  forward_tun_kpps   through the bare loop, which is the limit
  forward_ratio      processor time of a packet, of the session manager to that of the loop"""
import json
import os
import re
import statistics
import sys
import time

# That of this folder, which also finds bed: one of the same name is beside bed.
from recovery import FIRST, LENGTH, PORT, SERVER, Bench, address, say
from bed import Bed, BedError, elapse, wait_for

FLOWS = 3
SECONDS = 3.0
COPY = ("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0", "ip addr add 10.1.0.1/32 dev acc0",
        "ip addr add 10.2.0.1/32 dev core0", "ip link set copy0 up txqueuelen 20000",
        "ip link set copy1 up txqueuelen 20000", "ip route add default dev copy0 table 100",
        "ip route add default dev copy1 table 101", "ip rule add iif acc0 table 100",
        "ip rule add iif core0 table 101")
UNDO = ("ip rule del iif acc0", "ip rule del iif core0", "ip addr del 10.1.0.1/32 dev acc0",
        "ip addr del 10.2.0.1/32 dev core0", "sysctl -qw net.ipv4.ip_forward=0")


class Forward(Bench):
    def sends(self):
        self.sender = self.tool("ue", "send", FIRST, self.sessions, self.flows, SERVER, PORT, LENGTH)

    def commands(self, lines):
        for line in lines:
            if self.bed.run("a", *line.split()).returncode != 0:
                raise BedError(line)

    def measured(self, pid, others):
        """Packets a second of a whole processor; pid forwards."""
        for p in others + [self.sender.proc.pid, self.receiver.proc.pid]:
            os.sched_setaffinity(p, {0} if p == pid else {1})
        os.sched_setaffinity(pid, {0})
        self.sender.ask("go 20000")
        self.sender.ask(f"count {self.sessions * self.flows}")
        wait_for("all flows", 60, lambda: not self.sender.read()["going"], 0.1)
        elapse(1.5)
        self.sender.ask("go 0")
        elapse(0.5)
        self.receiver.read()
        cpu, at = self.cpu(pid), time.monotonic()
        elapse(SECONDS)
        got = self.receiver.read()
        seconds = time.monotonic() - at
        busy = (self.cpu(pid) - cpu) / seconds
        self.sender.ask("stop")
        say(f"  {got['received'] / seconds:.0f} a second, {busy * 100:.0f} % of a processor")
        return got["received"] / seconds / busy

    def chassis(self):
        for c in "ab":
            open(self.bed.path(c + ".log"), "w", encoding="ascii").close()
            self.bed.call("bed_chassis_start", c)
        wait_for("the chassis", 60, self.serves, 0.1)
        path = self.bed.path("bench.csv")
        with open(path, "w", encoding="ascii") as f:
            for i in range(self.sessions):
                f.write(f"00101{i:010d},,internet,{address(i)},,\n")
        self.bed.ctl("a", f"session load {path}")
        self.counts("sessions", self.sessions)
        wait_for("the replicas", 60, self.level, 0.1)
        self.sends()
        rate = self.measured(self.task("sessmgr", "pid"), self.bed.chassis_pids("a") + self.bed.chassis_pids("b"))
        self.counts("recoverable_flows", self.sessions * self.flows)
        self.sender.proc.stdin.close()
        self.sender.proc.wait()
        for c in "ba":  # the standby first: one that takes over would have the neighbours know its address
            self.bed.call("bed_chassis_kill", c)
        return rate

    def level(self):
        out = self.bed.ctl("a", "show session recovery status")
        rows = self.bed.show("a", "show srp replica", "link", "dirty")
        return re.search(r"Overall Status *: Ready For Recovery", out) and \
            rows and all(r["link"] == "Ready" and r["dirty"] == 0 for r in rows)

    def bare(self):
        copy = self.tool("a", "copy", "copy0", "copy1")
        try:
            self.commands(COPY)
            self.sends()
            rate = self.measured(copy.proc.pid, [])
        finally:
            copy.proc.stdin.close()
            copy.proc.wait()
            for line in UNDO:
                self.bed.run("a", *line.split())
        self.sender.proc.stdin.close()
        self.sender.proc.wait()
        return rate


def main():
    directory, build, sessions, turns, out = sys.argv[1:6]
    bench = Forward(Bed(directory, build), int(sessions), FLOWS)
    rates = {"chassis": [], "bare": []}
    try:
        for turn in range(int(turns)):
            for who in ("chassis", "bare") if turn % 2 else ("bare", "chassis"):
                say(f"{who}:")
                rates[who].append(getattr(bench, who)())
    except BedError as e:
        say(f"FAIL {e}")
        for c in "ab":
            with open(bench.bed.path(c + ".log"), encoding="utf-8", errors="replace") as f:
                say("".join("  " + line for line in f.readlines()[-20:]))
        return 1
    ours, limit = (statistics.median(rates[w]) for w in ("chassis", "bare"))
    result = {"forward_kpps": round(ours / 1000, 1), "forward_tun_kpps": round(limit / 1000, 1),
              "forward_ratio": round(limit / ours, 2)}
    say(json.dumps(result))
    if out:
        with open(out, "w", encoding="ascii") as f:
            json.dump(result, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
