#!/usr/bin/env python3
"""recovery: what the death of a session manager costs; called by recovery.sh on a bed of topology.sh.

recovery.py DIRECTORY BUILD SESSIONS FLOWS RATE KILLS TURNS JSON

A sender with the addresses of all sessions sends numbered datagrams through the TUNs of one chassis, and
the receiver says which came and when (pps.c); kill -9 comes from here. The figures are medians:

  sr_first_packet_ms          kill to the arrival of the first datagram after it
  sr_all_ms                   kill to the event that says that every session is rebuilt
  sr_pause_ms                 the longest pause between two arrivals of the recovery
  sr_event_ms                 what that event says itself
  sr_packets_lost             datagrams that were sent and never arrived; of all kills together, the most
  sr_sessions_lost, sr_flows_lost     of all kills together
  bytes_per_flow_aaamgr       what aaamgr:1 has in use with all flows less that with one of each session,
                              which has all of its own records by then
  resident_per_flow_aaamgr    the same of its resident memory
  sr_forwarding_cost_percent  how many datagrams fewer pass when they come faster than they can be
                              forwarded, with session recovery and without it in turns: the session
                              manager has a processor of its own, and everybody else another one"""
import json
import os
import re
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../func/lib"))
from bed import Bed, BedError, Tool, elapse, wait_for  # noqa: E402

FIRST = "10.128.0.0"
SERVER = "198.51.100.60"
PORT = 7100
LENGTH = 100
COST_SESSIONS = 10000    # of the comparison
COST_S = 3.0
CLP_EVERY_S = 11.0       # a session older than that has all of its records after its next packet
UNDER_WAY_MS = 0.5       # what the dead one has sent may arrive as late
DONE = re.compile(r"task recovery completed, in (\d+) \(ms\) fetched from aaamgr (\d+) "
                  r"calls recovered (\d+) passed audit (\d+)")


def say(text):
    print(text, flush=True)


def address(i):
    return f"10.{128 + (i >> 16)}.{i >> 8 & 255}.{i & 255}"


class Bench:
    def __init__(self, bed, sessions, flows):
        self.bed = bed
        self.sessions = sessions
        self.flows = flows
        self.result = {}
        self.receiver = self.tool("srv", "receive", SERVER, PORT, flows)
        self.sender = None

    def tool(self, ns, *args):
        return Tool(self.bed.argv(ns, os.path.join(self.bed.build, "tests/bench/pps"),
                                  *map(str, args)))

    # --- the chassis ---

    def start(self, recovery, sessions):
        os.replace(self.copy("on" if recovery else "off"), self.bed.path("a.cfg"))
        open(self.bed.path("a.log"), "w").close()
        self.bed.call("bed_chassis_start", "a")
        wait_for("the chassis", 30, self.serves, 0.1)
        path = self.bed.path("bench.csv")
        with open(path, "w", encoding="ascii") as f:
            for i in range(sessions):
                f.write(f"00101{i:010d},,internet,{address(i)},,\n")
        self.bed.ctl("a", f"session load {path}")
        self.counts("sessions", sessions)
        if recovery:
            self.ready()
        self.sender = self.tool("ue", "send", FIRST, sessions, self.flows, SERVER, PORT, LENGTH)

    def copy(self, name):
        with open(self.bed.path(name + ".cfg"), encoding="ascii") as f, \
                open(self.bed.path("next.cfg"), "w", encoding="ascii") as out:
            out.write(f.read())
        return self.bed.path("next.cfg")

    def serves(self):
        with open(self.bed.path("a.log"), encoding="utf-8", errors="replace") as f:
            return re.search(r"sessmgr:1\S* info: role Active", f.read())

    def stop(self):
        self.sender.proc.stdin.close()
        self.sender.proc.wait()
        self.bed.call("bed_chassis_kill", "a")

    def task(self, task, column, instance=1):
        for r in self.bed.show("a", "show task resources", "task", "instance", column):
            if r["task"] == task and r["instance"] == instance:
                return r[column]
        raise BedError(f"{task}:{instance} is not shown")

    def counts(self, column, number):
        wait_for(f"{number} {column}", 5, lambda: self.task("sessmgr", column) == number, 0.1,
                 lambda: self.task("sessmgr", column))

    def ready(self):
        def is_ready():
            out = self.bed.ctl("a", "show session recovery status")
            return re.search(r"Overall Status *: Ready For Recovery", out)
        wait_for("ready for recovery", 60, is_ready, 0.1)

    def resident(self, pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1]) * 1024

    # --- traffic ---

    def make_flows(self, rate):
        """One datagram of each flow; all must be there, and known to aaamgr."""
        total = self.sessions * self.flows
        self.sender.ask(f"go {rate}")
        self.sender.ask(f"count {total}")
        wait_for("all flows", 120, lambda: not self.sender.read()["going"], 0.1)
        elapse(0.2)
        got = self.receiver.read()
        if got["received"] < total:
            raise BedError(f"{got['received']} datagrams of {total} arrived: {got['dropped']} dropped")
        self.counts("recoverable_flows", total)

    def made(self, pid):
        """Flows are made, as many of each session as there shall be; what aaamgr then has in use and resident."""
        if self.sender:
            self.sender.proc.stdin.close()
            self.sender.proc.wait()
        self.receiver.read()
        self.sender = self.tool("ue", "send", FIRST, self.sessions, self.flows, SERVER, PORT, LENGTH)
        self.make_flows(30000)
        self.ready()
        elapse(2.0)  # the usage of all is there
        return self.task("aaamgr", "store_bytes"), self.resident(pid)

    # --- kill -9 under traffic ---

    def killed(self, rate):
        counts = [self.task("sessmgr", c) for c in ("sessions", "flows", "recoverable_flows")]
        pid = self.task("sessmgr", "pid")
        done = len(self.completed())
        self.receiver.read()
        first = self.sender.read()["next"]
        self.sender.ask(f"go {rate}")
        elapse(1.0)
        at, wall = time.monotonic(), time.time_ns()
        os.kill(pid, 9)
        wait_for("recovery", 60, lambda: len(self.completed()) > done, 0.001)
        took = (time.monotonic() - at) * 1000
        elapse(1.0)
        self.sender.ask("stop")
        elapse(0.5)
        sent = self.sender.read()["next"] - first
        got = self.receiver.read()
        after = [self.task("sessmgr", c) for c in ("sessions", "flows", "recoverable_flows")]
        # The pause that began before the kill, or just after it, with what was under way still.
        gaps = [((end - length - wall) / 1e6, (end - wall) / 1e6) for end, length in got["gaps"]]
        first = [end for start, end in gaps if start < UNDER_WAY_MS < end]
        pause = max((end - start for start, end in gaps if end > 0), default=0.0)
        event = self.completed()[-1]
        row = {"first_ms": first[0] if first else 0.0, "pause_ms": pause, "all_ms": took,
               "event_ms": int(event[0]), "lost": sent - got["received"] + got["again"], "again": got["again"],
               "dropped": got["dropped"], "sessions": counts[0] - after[0],
               "flows": counts[2] - after[2]}
        say("  " + ", ".join(f"{k} {v:.1f}" if isinstance(v, float) else f"{k} {v}"
                             for k, v in row.items()) + f"; event: {event}")
        self.ready()
        return row

    def completed(self):
        with open(self.bed.path("a.log"), encoding="utf-8", errors="replace") as f:
            return DONE.findall(f.read())

    def kills(self, rate, times):
        self.start(True, self.sessions)
        pid = self.task("aaamgr", "pid")
        flows, self.flows = self.flows, 1
        self.made(pid)
        elapse(CLP_EVERY_S)
        few = self.made(pid)
        self.flows = flows
        many = self.made(pid)
        for name, x, y in zip(("bytes", "resident"), few, many):
            self.result[name + "_per_flow_aaamgr"] = round((y - x) / (self.sessions * (flows - 1)), 1)
        say(f"{self.sessions} sessions, {self.sessions * self.flows} flows, kill -9 under "
            f"{rate} datagrams a second")
        rows = []
        for _ in range(times):
            rows.append(self.killed(rate))
            # Who dies more often than five times in a minute is given up.
            elapse(13 if times > 4 else 0)
        r = self.result
        r["sr_first_packet_ms"] = round(statistics.median(x["first_ms"] for x in rows), 2)
        r["sr_pause_ms"] = round(statistics.median(x["pause_ms"] for x in rows), 2)
        r["sr_all_ms"] = round(statistics.median(x["all_ms"] for x in rows), 1)
        r["sr_event_ms"] = statistics.median(x["event_ms"] for x in rows)
        r["sr_packets_lost"] = max(x["lost"] for x in rows)
        r["sr_sessions_lost"] = sum(x["sessions"] for x in rows)
        r["sr_flows_lost"] = sum(x["flows"] for x in rows)
        self.stop()

    # --- what it costs ---

    def rate_of(self, recovery):
        """Datagrams a second that pass when more than that are sent."""
        self.start(recovery, COST_SESSIONS)
        sessmgr = self.task("sessmgr", "pid")
        for pid in self.bed.chassis_pids("a"):
            os.sched_setaffinity(pid, {0} if pid == sessmgr else {1})
        for tool in (self.sender, self.receiver):
            os.sched_setaffinity(tool.proc.pid, {1})
        self.sender.ask("go 20000")
        self.sender.ask(f"count {COST_SESSIONS * self.flows}")
        wait_for("all flows", 60, lambda: not self.sender.read()["going"], 0.1)
        elapse(1.5)
        self.sender.ask("go 0")
        elapse(0.5)
        self.receiver.read()
        cpu, at = self.cpu(sessmgr), time.monotonic()
        elapse(COST_S)
        got = self.receiver.read()
        seconds = time.monotonic() - at
        busy = (self.cpu(sessmgr) - cpu) / seconds
        self.sender.ask("stop")
        self.stop()
        return got["received"] / seconds, busy

    @staticmethod
    def cpu(pid):
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9

    def cost(self, turns):
        rates = {True: [], False: []}
        for turn in range(turns):
            for recovery in (True, False) if turn % 2 else (False, True):
                rate, busy = self.rate_of(recovery)
                rates[recovery].append(rate / busy)
                say(f"  {'with' if recovery else 'without'} session recovery: {rate:.0f} a second, "
                    f"{busy * 100:.0f} % of a processor, {rate / busy:.0f} of a whole one")
        on, off = (statistics.median(rates[r]) for r in (True, False))
        self.result["forwarded_per_s"] = round(off)
        self.result["forwarded_per_s_sr"] = round(on)
        self.result["sr_forwarding_cost_percent"] = round((off - on) * 100 / off, 2)


def main():
    directory, build = sys.argv[1:3]
    sessions, flows, rate, kills, turns = map(int, sys.argv[3:8])
    bench = Bench(Bed(directory, build), sessions, flows)
    try:
        if kills:
            bench.kills(rate, kills)
        if turns:
            bench.cost(turns)
    except BedError as e:
        say(f"FAIL {e}")
        with open(bench.bed.path("a.log"), encoding="utf-8", errors="replace") as f:
            say("".join("  " + line for line in f.readlines()[-20:]))
        return 1
    finally:
        bench.result["sessions"], bench.result["flows"] = sessions, sessions * flows
        say(json.dumps(bench.result))
        if sys.argv[8]:
            with open(sys.argv[8], "w", encoding="ascii") as f:
                json.dump(bench.result, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
