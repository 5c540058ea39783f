"""Records in files, as tests read them; on top of traffic.py, with the bed of records.sh."""
import csv
import glob

from traffic import *


def files(c, module="edr"):
    return [f for f in glob.glob(t.bed.path(f"{c}.rec/{module}/*"))
            if not os.path.basename(f).startswith("curr_")]


def records(c, stream="edr"):
    """All records of a stream in complete files; a file that is not whole fails the test."""
    out = []
    for f in sorted(files(c, "udr" if stream == "udr" else "edr")):
        with open(f, encoding="utf-8", newline="") as x:
            text = x.read()
        if not text.endswith("\n") or not text.startswith("#"):
            t.check(False, f"{f} is whole", text[-80:])
        rows_ = list(csv.reader(text.splitlines()))
        for k, r in enumerate(rows_[1:]):
            d = dict(zip([rows_[0][0][1:], *rows_[0][1:]], r))
            if len(r) != len(rows_[0]) or d["sn-sequence-no"] != str(k + 1):
                t.check(False, f"{f}: record {k + 1} is whole", r)
            d["vol"] = tuple(int(d[f"sn-volume-amt-ip-{u}-{w}"]) for w in ("uplink", "downlink")
                             for u in ("pkts", "bytes"))
            d["written"] = os.path.getmtime(f)  # its last record
            if f"_{stream}_" in f:
                out.append(d)
    return out


def look(c):
    return t.bed.show(c, "show active-charging records", "records_made", "written")[0]


def written(c):
    r = look(c)
    return r["held_bytes"] == 0 and r["waiting_bytes"] == 0 and r["open"] == 0


def drained(c):
    t.grace(0.3)  # what was made is counted
    wait_for(f"chassis {c}: all records are in files", PATIENCE, lambda: written(c), 0.1, lambda: look(c))


def pid_of(c, task, instance=0):
    return next(r["pid"] for r in t.bed.show(c, "show task resources", "task", "pid")
                if r["task"] == task and r["instance"] == instance)
