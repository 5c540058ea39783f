"""clients: the clients of the main job: long transfers, short requests, the probe."""
import filecmp
import itertools
import subprocess
import threading
import time

from bed import wait_for

SERVER = {"web": 10, "files": 20, "secure": 30, "streams": 40, "names": 50, "bulk": 60, "probe": 70,
          "echo": 80}
PROBE_PORT = "7007"


def v4(name):
    return f"198.51.100.{SERVER[name]}"


def v6(name):
    return f"2001:db8:99::{SERVER[name]}"


def sub4(i):
    return f"10.45.{i // 256}.{i % 256}"


def sub6(i):
    return f"2001:db8:45:{i:x}::1"


class Traffic:
    """Clients of all kinds, and what became of them."""

    def __init__(self, bed, subscribers, walkins):
        self.bed = bed
        self.subscribers = subscribers
        self.walkins = walkins
        self.gate = threading.Event()
        self.lock = threading.Lock()
        self.busy = 0
        self.done = {}
        self.used = set()
        self.broken = []
        self.ended = False
        self.jobs = {}           # by number: when it began, and what it is
        self.long = []
        self.numbers = itertools.count()
        self.threads = [threading.Thread(target=self.worker, daemon=True) for _ in range(2)]

    # --- long transfers ---

    def curl(self, family, sub, name, host, page, out):
        server = v4(name) if family == 4 else f"[{v6(name)}]"
        tls = name in ("secure", "streams")
        argv = ["curl", "-sS", "-o", out, "-w", "%{http_code} %{size_download}", "--no-keepalive",
                "--max-time", "150", "--interface", sub4(sub) if family == 4 else sub6(sub),
                "--resolve", f"{host}:{443 if tls else 80}:{server}"]
        if tls:
            argv += ["--cacert", self.bed.path("web.pem")]
        return argv + [f"{'https' if tls else 'http'}://{host}/{page}"]

    def start_long(self, seconds):
        plan = [(4, "files", "files.example.test")] * 5 + \
            [(6, "files", "files.example.test")] * 3 + \
            [(4, "streams", "a.streams.example.test")] * 5 + \
            [(6, "streams", "b.streams.example.test")] * 3
        for i, (family, name, host) in enumerate(plan):
            out = self.bed.path(f"long.{i}")
            argv = self.curl(family, 10 + i, name, host, "long", out)
            self.add_long(f"download {i} ({name}, IPv{family})", argv, out)
        size = str(3_000_000 // 8 * seconds)
        for family, port, extra in ((4, "5201", []), (6, "5202", ["-R"])):
            argv = ["iperf3", "-c", v4("bulk") if family == 4 else v6("bulk"), "-p", port,
                    "-B", sub4(5) if family == 4 else sub6(5), "-n", size, "-i", "0",
                    "--fq-rate", "3M", "-b", "3M", "--connect-timeout", "5000", *extra]
            self.add_long(f"iperf3 {'down' if extra else 'up'} (IPv{family})", argv, None)

    def add_long(self, name, argv, out):
        log = open(self.bed.path(f"client.{len(self.long)}.log"), "w+", encoding="utf-8")
        p = self.bed.spawn("ue", *argv, stdout=log, stderr=subprocess.STDOUT)
        self.long.append({"name": name, "proc": p, "log": log, "out": out, "seen": False})

    def check_long(self):
        """Notes transfers that ended badly; returns how many still run."""
        running = 0
        for t in self.long:
            rc = t["proc"].poll()
            if rc is None:
                running += 1
            elif not t["seen"]:
                t["seen"] = True
                t["log"].seek(0)
                if rc != 0:
                    self.note(t["name"], rc, t["log"].read())
                elif t["out"] and not filecmp.cmp(t["out"], self.bed.path("www/long"), False):
                    self.note(t["name"], 0, "other bytes than the server's file")
        return running

    def note(self, name, rc, text):
        with self.lock:
            self.broken.append(f"{name}: status {rc}: {' '.join(text.split())[-200:]}")

    # --- short requests ---

    def job(self, n):
        sub = n % self.subscribers + 1
        kind = (n // self.subscribers + n) % 9
        if kind == 8:
            walkin = n // 9 % self.walkins + 1
            argv = self.curl(4, 1, "web", "www.example.test", "page", "/dev/null")
            argv[argv.index("--interface") + 1] = f"10.46.0.{walkin}"
            return "web", argv, f"w{walkin}"
        family = 4 if kind % 2 else 6
        sub_addr = sub4(sub) if family == 4 else sub6(sub)
        name = ("web", "secure", "names", "echo")[kind // 2]
        if name == "names":
            argv = ["dig", "+short", "+time=2", "+tries=4", "-b", sub_addr,
                    "@" + (v4(name) if family == 4 else v6(name)), f"host{n}.example.test"]
        elif name == "echo":
            argv = ["ping", "-q", "-c", "2", "-i", "0.05", "-W", "1", "-I", sub_addr,
                    v4(name) if family == 4 else v6(name)]
        else:
            host = "www.example.test" if name == "web" else "secure.example.test"
            argv = self.curl(family, sub, name, host, "page", "/dev/null")
        return name, argv, sub_addr

    def worker(self):
        while not self.ended:
            self.gate.wait()
            with self.lock:
                if not self.gate.is_set():
                    continue
                self.busy += 1
                n = next(self.numbers)
            name, argv, who = self.job(n)
            self.jobs[n] = (time.monotonic(), f"{name} of {who}")
            p = self.bed.run("ue", *argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
            out = p.stdout
            good = p.returncode == 0
            if name in ("web", "secure"):
                good = good and out.startswith("200 20000")
            elif name == "names":
                good = good and out.split()[-1:] == ["192.0.2.1"]  # perhaps after a repetition
            elif name == "echo":
                good = True  # one packet that is lost is lost, not a transfer that is broken
            with self.lock:
                self.busy -= 1
                del self.jobs[n]
                self.done[name] = self.done.get(name, 0) + 1
                self.used.add(who)
            if not good:
                self.note(f"{name} of {who}", p.returncode, out)
            time.sleep(0.02)

    def under_way(self):
        """Requests that run, and for how many seconds they have."""
        return [f"{what}: {time.monotonic() - began:.1f} s" for began, what in list(self.jobs.values())]

    def start(self):
        for t in self.threads:
            t.start()
        self.gate.set()

    def hold(self, seconds=20):
        """No new requests; those that run end."""
        with self.lock:
            self.gate.clear()
        wait_for("requests under way to end", seconds, lambda: self.busy == 0, 0.01,
                 lambda: str(self.under_way()))

    def resume(self):
        self.gate.set()


class Probes:
    """One probe per family; each direction with its own figures."""

    def __init__(self, bed):
        self.pairs = []
        for server, sub in ((v4("probe"), sub4(3)), (v6("probe"), sub6(4))):
            down = bed.tool("srv", "probe", "listen", server, PROBE_PORT)
            up = bed.tool("ue", "probe", "connect", server, PROBE_PORT, sub)
            self.pairs.append((up, down))

    def go(self):
        for pair in self.pairs:
            for end in pair:
                end.ask("go")

    def stop(self):
        for pair in self.pairs:
            for end in pair:
                end.ask("stop")

    def read(self):
        ends = [(up.read(), down.read()) for up, down in self.pairs]
        return {
            "sent_up": sum(u["sent"] for u, _ in ends),
            "sent_down": sum(d["sent"] for _, d in ends),
            "lost_up": sum(u["sent"] - d["received"] for u, d in ends),
            "lost_down": sum(d["sent"] - u["received"] for u, d in ends),
            "twice": sum(u["again"] + d["again"] for u, d in ends),
            "gap_up_ms": max(d["gap_ms"] for _, d in ends),
            "gap_down_ms": max(u["gap_ms"] for u, _ in ends),
            "send_gap_ms": max(max(u["send_gap_ms"], d["send_gap_ms"]) for u, d in ends),
        }
