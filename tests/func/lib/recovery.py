"""recovery: what the tests of session recovery ask of a chassis and do to its tasks: pids by task and
instance, deaths, the status, and the events that say what came back."""
import collections
import os
import re
import signal
import time

from bed import BedError, wait_for

DONE = re.compile(
    r"^(\S+) sessmgr:(\d+)\[(\d+)\] (\w+): Session Manager task recovery completed, in (\d+) \(ms\) "
    r"fetched from aaamgr (\d+) calls recovered (\d+) passed audit (\d+) prior to audit (\d+) "
    r"all call lines (\d+) on Slot Number 1 Cpu Number 0$")
Event = collections.namedtuple("Event", "instance pid severity ms fetched recovered passed prior lines")


class Tasks:
    """The tasks of the chassis of a bed."""

    def __init__(self, bed):
        self.bed = bed

    def rows(self, chassis):
        return self.bed.show(chassis, "show task resources", "task", "instance", "pid", "starts")

    def row(self, chassis, task, instance=0):
        for r in self.rows(chassis):
            if r["task"] == task and r["instance"] == instance:
                return r
        raise BedError(f"chassis {chassis}: {task}:{instance} is not shown")

    def pid(self, chassis, task, instance=0):
        return self.row(chassis, task, instance)["pid"]

    def pids(self, chassis):
        """What ps shows, which needs nobody's answer: title without `chassisd: ` by pid."""
        found = {}
        for pid in self.bed.chassis_pids(chassis):
            title = self.title(pid)
            if title:
                found[pid] = title
        return found

    @staticmethod
    def title(pid):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                m = re.match(r"chassisd: (\S+)", f.read().rstrip("\0"))
                return m[1] if m else None
        except OSError:
            return None

    @staticmethod
    def ran(pid):
        """Seconds of processor time that a process has had."""
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0]) / 1e9

    def kill(self, chassis, *tasks, sig=signal.SIGKILL):
        """Kills (task, instance) pairs, all at once; their pids."""
        pids = [self.pid(chassis, *t) for t in tasks]
        for p in pids:
            os.kill(p, sig)
        return pids

    # --- the status ---

    def status(self, chassis):
        """Text of the overall status, and the age of the last update as it is written."""
        out = self.bed.ctl(chassis, "show session recovery status")
        m = re.search(r"Overall Status *: (.*)\n *Last Status Update *: (.*)\n", out)
        if not m:
            raise BedError(f"no status: {out}")
        return m[1], m[2]

    def ready(self, chassis):
        try:
            return self.status(chassis)[0] == "Ready For Recovery"
        except BedError:
            return False

    def wait_ready(self, chassis, seconds=20):
        wait_for(f"chassis {chassis} to be ready for recovery", seconds,
                 lambda: self.ready(chassis), 0.03,
                 lambda: self.bed.ctl(chassis, "show session recovery status verbose"))

    # --- the log ---

    def log(self, chassis):
        with open(self.bed.path(chassis + ".log"), encoding="utf-8", errors="replace") as f:
            return f.read().splitlines()

    def events(self, chassis):
        """Every recovery that was completed."""
        found = []
        for line in self.log(chassis):
            m = DONE.match(line)
            if m:
                found.append(Event(int(m[2]), int(m[3]), m[4], *map(int, m.groups()[4:])))
        return found

    def wait_event(self, chassis, number, seconds=15):
        """The event behind that number of them."""
        wait_for(f"chassis {chassis}: event {number + 1} of a recovery", seconds,
                 lambda: len(self.events(chassis)) > number, 0.01)
        return self.events(chassis)[number]


def since(began):
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
