"""bed: the test bed of topology.sh for programs in Python: its functions, its namespaces, programs
that answer line by line, and what chassisctl prints as JSON."""
import json
import os
import re
import signal
import subprocess
import time

LIB = os.path.dirname(os.path.abspath(__file__))
TOPOLOGY = os.path.join(LIB, "topology.sh")


class BedError(Exception):
    """Something of the bed or of a chassis did not do what the run needs."""


def turns(seconds, every=0.05):
    """The turns of a question that is asked until it is answered or the time is over: one at once, one behind
    the end, and some between. All waits for what has no descriptor to wait at go through this."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(every)
    yield


def paced(every, seconds):
    """Turns at an even pace, for who makes traffic: one that was late is followed by the next at its time."""
    began = time.monotonic()
    for n in range(round(seconds / every)):
        time.sleep(max(0, began + n * every - time.monotonic()))
        yield n


def elapse(seconds):
    """For time that is itself what is tried or measured: how long after another a fault strikes, how slow a server
    is, over how long something is counted."""
    time.sleep(seconds)


def wait_for(what, seconds, test, every=0.05, why=None):
    """Calls test until it gives something true, and returns that. why() is asked when it did not."""
    for _ in turns(seconds, every):
        got = test()
        if got:
            return got
    raise BedError(f"{what}: not within {seconds} s" + (f" ({why()})" if why else ""))


class Tool:
    """A program that answers each line on its standard input with a line."""

    def __init__(self, argv):
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.proc.stdout.readline() != "ready\n":
            raise BedError(f"{' '.join(argv)}: did not start")

    def ask(self, command):
        self.proc.stdin.write(command + "\n")
        self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        if not line:
            raise BedError(f"{self.proc.args[-1]}: gone")
        return line

    def read(self):
        return json.loads(self.ask("read"))


class Bed:
    def __init__(self, directory, build):
        self.dir = directory
        self.build = build
        with open(os.path.join(directory, "prefix"), encoding="ascii") as f:
            self.prefix = f.read().strip()

    def path(self, name):
        return os.path.join(self.dir, name)

    def call(self, function, *args):
        """A function of topology.sh; returns its output."""
        p = subprocess.run(["bash", TOPOLOGY, self.dir, function, *map(str, args)],
                           stdout=subprocess.PIPE, text=True, check=False)
        if p.returncode != 0:
            raise BedError(f"{function} {' '.join(map(str, args))}: failed")
        return p.stdout

    def argv(self, ns, *argv):
        return ["ip", "netns", "exec", self.prefix + ns, *argv]

    def run(self, ns, *argv, **kw):
        return subprocess.run(self.argv(ns, *argv), stdin=subprocess.DEVNULL, check=False, **kw)

    def spawn(self, ns, *argv, **kw):
        return subprocess.Popen(self.argv(ns, *argv), stdin=subprocess.DEVNULL, **kw)

    def tool(self, ns, name, *args):
        return Tool(self.argv(ns, os.path.join(self.build, "examples", name), *args))

    def pids(self, ns, name, *words):
        """Processes of a name in a namespace whose arguments have all the words."""
        out = subprocess.run(["ip", "netns", "pids", self.prefix + ns], stdout=subprocess.PIPE,
                             text=True, check=False).stdout
        found = []
        for pid in out.split():
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                    same = f.read().strip() == name
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                    args = f.read().split("\0")
                if same and all(w in args for w in words):
                    found.append(int(pid))
            except OSError:
                pass
        return found

    def chassis_pids(self, chassis):
        return [int(p) for p in self.call("bed_chassis_pids", chassis).split()]

    def ctl(self, chassis, command):
        """Output of one command; BedError where chassisctl fails."""
        p = subprocess.run([os.environ.get("BED_CHASSISCTL",
                                           os.path.join(self.build, "chassisctl")),
                            "-s", self.path(chassis + ".sock"), "-c", command],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False, timeout=30)
        if p.returncode != 0:
            raise BedError(f"chassis {chassis}: {command}: {p.stdout.strip()}")
        return p.stdout

    def show(self, chassis, command, *needed):
        """Rows of `COMMAND | json` that have all the needed keys, wherever they stand."""
        text = self.ctl(chassis, command + " | json")
        try:
            return list(rows(json.loads(text), needed))
        except ValueError as e:
            raise BedError(f"chassis {chassis}: {command}: no JSON: {e}") from e


def rows(doc, needed):
    if isinstance(doc, dict):
        doc = {re.sub(r"[^a-z0-9]+", "_", k.lower()).strip("_"): v for k, v in doc.items()}
        if all(k in doc for k in needed):
            yield doc
            return
        doc = list(doc.values())
    if isinstance(doc, list):
        for d in doc:
            yield from rows(d, needed)


def send_queues(bed, ns):
    """Bytes that TCP of a namespace has still to deliver."""
    out = bed.run(ns, "ss", "-Htan", stdout=subprocess.PIPE, text=True).stdout
    total = 0
    for line in out.splitlines():
        f = line.split()
        if len(f) >= 3 and f[0] not in ("LISTEN", "TIME-WAIT"):
            total += int(f[2])
    return total


def signal_all(pids, sig):
    for pid in pids:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass


STOP, CONT = signal.SIGSTOP, signal.SIGCONT
