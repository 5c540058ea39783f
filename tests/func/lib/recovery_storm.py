#!/usr/bin/env python3
"""recovery_storm: deaths of tasks by lot over a pair that forwards real traffic, round by round, and after
each round everything must be right again.

recovery_storm.py DIRECTORY BUILD SEED ROUNDS     on a bed of topology.sh whose chassis and servers run

A round kills tasks one by one, in pairs, in chains into each other's recovery, and the pairs of a session
manager and its aaamgr; on the active and on the standby chassis; some with a switchover before or
behind it, planned or by the death of a chassis. All that is drawn by lot comes from the seed.

After each round: one active and one standby, level and ready for recovery, digests and equations
(chaos.py), every session of before with its call-id, every address with one owner, all that is free can
be taken, no transfer broken. Every few rounds the senders stand still, and what was charged is compared
with the count outside; only a chassis that was lost may have taken the last second of volumes along.
Where a session manager and its aaamgr die together what cannot be read may be lost where no peer has
it, and then the log says how many."""
import argparse
import collections
import os
import re
import signal
import sys
import threading
import time

LIB = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [LIB, os.path.join(LIB, "../../../examples")]
import chaos  # noqa: E402
from bed import BedError, elapse, wait_for  # noqa: E402
from chaos import Chaos, ChaosBed, Wrong  # noqa: E402
from clients import v4 as server4, v6 as server6  # noqa: E402
from mainjob import Run  # noqa: E402
from recovery import Tasks  # noqa: E402

ONE_REQUEST = 25000      # bytes of a short connection, all of it
TRANSFER_S = 60          # of a long transfer; others follow
COUNTED_EVERY = 5        # rounds
TALKERS = 30             # subscribers; those of long transfers are among them
SIGNALS = (signal.SIGKILL,) * 6 + (signal.SIGABRT, signal.SIGSEGV, signal.SIGSTOP)
TITLE = re.compile(r"(sct|vpnmgr|demuxmgr|sessmgr|aaamgr)(?::(\d+|standby))?$")
LONG = {address(name): name for name in ("files", "streams") for address in (server4, server6)}
LOST = re.compile(r"recovery: (\d+) sessions? (?:is|are) lost")


class Storm(Chaos):
    def __init__(self, directory, build, seed):
        # pylint: disable=super-init-not-called  # other traffic, and no sessions that come and go
        self.bed = ChaosBed(directory, build)
        self.rnd = chaos.random.Random(seed)
        self.deaths, self.stopped, self.down, self.cut = {}, set(), {}, False
        self.done, self.later, self.count = [], [], collections.Counter()
        self.hung, self.lock, self.began = None, threading.Lock(), time.monotonic()
        self.tasks_of = Tasks(self.bed)
        self.run_ = Run(self.bed, argparse.Namespace(subscribers=TALKERS, walkins=4))
        self.lost_chassis = False  # since the last count
        self.lost_sessions = self.lost_ever = 0
        self.requests_cut = 0      # of which session managers that died since it was counted last
        self.died, self.switched = set(), False  # in this round
        self.ended = 0             # long transfers that had, when it was counted last
        self.mates = False         # what is lost may be lost, if it is said

    # --- deaths ---

    def candidates(self, chassis):
        """(task, instance, pid) of those that may die; instance 0 is a standby or the only one."""
        found = []
        for pid, title in self.tasks_of.pids(chassis).items():
            m = TITLE.match(title)
            if m:
                instance = 0 if m[2] in (None, "standby") else int(m[2])
                if self.may_die(chassis, m[1], instance):
                    found.append((m[1], instance, pid))
        return sorted(found)

    def kill_one(self, chassis, task=None, instance=None, sig=signal.SIGKILL):
        """Kills who has that name now, or anybody."""
        found = [c for c in self.candidates(chassis)
                 if (task is None or c[0] == task) and (instance is None or c[1] == instance)]
        if not found:
            return
        t = found[self.rnd.randrange(1 << 16) % len(found)]
        self.say(f"{sig.name} of {chassis} {t[0]}:{t[1]}")
        self.count[f"{t[0]}{'' if t[1] or t[0] not in ('sessmgr', 'aaamgr') else ' standby'}"] += 1
        self.dies(chassis, *t[:2])
        self.judge_death(chassis, *t[:2])
        if sig == signal.SIGSTOP:
            self.stop([t[2]], 5.0)  # it is killed before that
        else:
            self.signal([t[2]], sig)

    def judge_death(self, chassis, task, instance):
        """A session manager whose mirror is level and lives mischarges nothing. One that dies with its
        mirror, again before that is level again, or beside a switchover may."""
        if task in ("sessmgr", "aaamgr") and instance:
            both = (chassis, instance) in self.died
            self.requests_cut += task == "sessmgr" and (both or self.switched) or task == "aaamgr" and both
            self.died.add((chassis, instance))

    def pause(self):
        elapse(self.rnd.choice((0, 0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3)))

    def either(self):
        """Twice as often the active: more depends on it."""
        active = self.active() or "a"
        return active if self.rnd.random() < 0.67 else ("b" if active == "a" else "a")

    def round_single(self):
        self.kill_one(self.either(), sig=self.rnd.choice(SIGNALS))

    def round_pair(self):
        c = self.either()
        for _ in range(2):
            self.kill_one(c)

    def round_chain(self):
        for _ in range(self.rnd.randint(2, 5)):
            self.kill_one(self.either(), sig=self.rnd.choice(SIGNALS[:-1]))
            self.pause()

    def round_again(self):
        """A session manager, and who takes its place, and who takes its place."""
        c, i = self.either(), self.rnd.randint(1, 3)
        for _ in range(self.rnd.randint(2, 3)):
            self.kill_one(c, "sessmgr", i)
            self.pause()

    def round_mates(self):
        """A session manager and its aaamgr, in either order."""
        c, i = self.either(), self.rnd.randint(1, 3)
        self.mates = True
        for task in self.rnd.sample(("sessmgr", "aaamgr"), 2):
            self.kill_one(c, task, i)
            self.pause()

    def round_both(self):
        """The same task of both chassis, the second while the first is filled."""
        task, i = self.rnd.choice((("sessmgr", 1), ("sessmgr", 2), ("aaamgr", 1), ("vpnmgr", 0),
                                   ("demuxmgr", 0), ("sct", 0)))
        for c in self.rnd.sample("ab", 2):
            self.kill_one(c, task, i)
            self.pause()

    ROUNDS = [("single", 4), ("pair", 3), ("chain", 4), ("again", 2), ("mates", 3), ("both", 2)]

    # --- switchovers ---

    def planned(self, wait):
        c = self.active()
        self.switched = True
        if c:
            self.say(f"planned switchover from {c}")
            self.count["planned switchover"] += 1
            t = threading.Thread(target=self.guarded, daemon=True,
                                 args=(c, "srp initiate-switchover -noconfirm timeout 5"))
            t.start()
            if wait:
                t.join()

    def unplanned(self):
        """The death of a chassis, of the standby as well: only from a state that is whole."""
        self.level_again("before the death of a chassis")
        c = self.either()
        self.say(f"the death of chassis {c}")
        self.count["death of a chassis"] += 1
        self.bed.call("bed_chassis_kill", c)
        self.down[c] = self.lost_chassis = self.switched = True
        self.requests_cut += 3
        for key in [k for k in self.deaths if k[0] == c]:
            del self.deaths[key]
        other = "b" if c == "a" else "a"
        wait_for(f"chassis {other} to be active", 20, lambda: self.active() == other, 0.02)
        if self.rnd.random() < 0.5:
            self.start(c)
        else:
            # Alone it must be ready as well: what dies now is in its mirror only.
            self.tasks_of.wait_ready(other)

    # --- a round ---

    def one(self):
        self.done = []
        self.died, self.switched = set(), False
        self.began = time.monotonic()
        name = self.rnd.choices([n for n, _ in self.ROUNDS], [w for _, w in self.ROUNDS])[0]
        before, behind = self.rnd.random(), self.rnd.random()
        if before < 0.12:
            self.unplanned()
        elif before < 0.4:
            self.planned(self.rnd.random() < 0.5)
        self.pause()
        # Without a peer only the mirror has it: who takes both away may take sessions away.
        self.mates = bool(self.down) and name not in ("single", "again")
        getattr(self, "round_" + name)()
        if behind < 0.25:
            self.pause()
            self.planned(True)
        elif behind < 0.35 and not self.down:
            self.unplanned()
        for c in list(self.down):
            self.start(c)
        wait_for("faults to end", float("inf"), lambda: not self.later, 0.02)
        if self.hung:
            raise self.hung
        return name

    def level_again(self, text):
        """As far as can be said while traffic goes on."""
        self.wait_right(text, self.not_level_yet)

    def wait_right(self, text, question):
        why = []

        def right():
            why[:] = [question()]
            return not why[0]

        try:
            wait_for(text, chaos.CALM_S, right, 0.05, why=lambda: why[0])
        except BedError as e:
            raise Wrong(str(e)) from e

    def not_level_yet(self):
        state = {c: self.info(c) for c in "ab"}
        if sorted(state[c]["chassis_state"] for c in "ab") != ["Active", "Standby"]:
            return f"roles {[state[c]['chassis_state'] for c in 'ab']}"
        for c in "ab":
            if state[c]["sessmgrs_connected"] != state[c]["sessmgrs"]:
                return f"{c}: {state[c]['sessmgrs_connected']} session managers are connected"
            for t in self.tasks(c):
                if t["status"] != "good":
                    return f"{c}: {t['task']}:{t['instance']} is {t['status']}"
            if not self.tasks_of.ready(c):
                return f"{c}: {self.ctl(c, 'show session recovery status verbose')}"
            for r in self.show(c, "show srp replica", "instance", "digest"):
                if r["link"] != "Ready" or not r["complete"] or r["equations"] != "hold" or \
                        r["digest"] != r["recomputed_digest"] or \
                        r["role"] == "Active" and not 0 <= r["verified_s"] <= 2:
                    return f"{c} instance {r['instance']}: {r}"
        return None

    def held(self):
        active = self.active()
        return {(r["callid"], r["imsi"], r["v4"], r["v6"])
                for r in self.show(active, "show subscribers all", "callid", "imsi", "v4", "v6")}

    def said_lost(self):
        return sum(int(m[1]) for c in "ab" for m in map(LOST.search, self.tasks_of.log(c)) if m)

    def check_demuxmgr(self, active):
        """Its idea of who holds which address: nothing is there twice, and what is given up can be
        taken again, by whichever session manager."""
        found = self.show(active, "show subscribers all", "callid", "v4", "v6")
        for key in ("v4", "v6", "callid"):
            values = [r[key] for r in found if r[key]]
            if len(values) != len(set(values)):
                raise Wrong(f"{key} is there twice: {sorted(values)}")
        # Not of those that talk.
        some = self.rnd.sample([r for r in found if r["imsi"] and
                                int(r["imsi"]) - 1010000000000 > TALKERS], 3)
        for r in some:
            if self.ctl(active, f"session delete callid {r['callid']}") is None:
                raise Wrong(f"session {r['callid']} is shown and cannot be deleted")
        for r in some:
            well, out = self.ask(active, f"session add imsi {r['imsi']} username {r['username']} "
                                 f"apn internet ip-address {r['v4']} ipv6-address "
                                 f"{r['v6'].split('/')[0]}")
            if not well:
                raise Wrong(f"{r['v4']} was given up and cannot be taken: {out}")

    def check_log(self):
        """No task ends but by a signal that we send; nobody gives up."""
        mine = {str(int(s)) for s in SIGNALS} | {"0"}
        bad = re.compile(r"was ended by signal (\d+)|has ended with status (\d+)|runtime error|"
                         r"Sanitizer|broke the protocol|frame 0x.. refused|gives up|dies too often")
        for c in "ab":
            for line in self.tasks_of.log(c):
                m = bad.search(line)
                if m and not (m[1] in mine or m[2] == "0" or " info: " in line):
                    raise Wrong(f"log of {c}: {line}")

    def rounds(self, number):
        threading.Thread(target=self.end_faults, daemon=True).start()
        t = self.run_.traffic
        t.start()
        self.transfers()
        self.run_.probes.go()
        self.flowing()
        self.level_again("the beginning")
        before = self.counted(None)
        for n in range(1, number + 1):
            held, lost = self.held(), self.said_lost()
            try:
                name = self.one()
                at = time.monotonic()
                self.level_again("calm")
                self.right(held, lost)
                took = time.monotonic() - at
                if n % COUNTED_EVERY == 0 or n == number:
                    before = self.counted(before)
            except (Wrong, BedError):
                print("the last round:", *self.done, sep="\n  ")
                raise
            print(f"round {n}: {name}, right after {took:.1f} s:",
                  ", ".join(x.strip() for x in self.done), flush=True)
            self.transfers()
        print("   ", ", ".join(f"{n} {name}" for name, n in sorted(self.count.items())))
        print(f"    {sum(t.done.values())} requests, {len(t.long)} long transfers, "
              f"{self.lost_ever} sessions lost and said to be")

    def right(self, held, lost):
        active = self.active()
        self.check_addresses(active)
        gone = held - self.held()
        if gone:
            said = self.said_lost() - lost
            if not self.mates or len(gone) > said:
                raise Wrong(f"{len(gone)} of {len(held)} sessions are lost, {said} are said to be: "
                            f"{sorted(gone)[:3]}")
            self.lost_sessions += len(gone)
            self.lost_ever += len(gone)
        self.rules_kept(active)
        self.check_demuxmgr(active)
        self.flowing()
        self.transfers_broken()
        self.check_log()

    def flowing(self):
        """Probes and new requests arrive, in both directions; transfers may have ended."""
        self.run_.flowing(60, ("probe", "web"))

    def rules_kept(self, active):
        """The flows of long transfers stand on the rule that their first payload has found."""
        for r in self.show(active, "show active-charging flows all", "server", "rule"):
            want = LONG.get(r["server"])
            if want and r["rule"] != want:
                raise Wrong(f"a transfer of {want} is on rule {r['rule']}: {r}")

    def transfers(self):
        if self.run_.traffic.check_long() == 0:
            self.run_.traffic.start_long(TRANSFER_S)

    def ended_now(self):
        return len(self.run_.traffic.long) - self.run_.traffic.check_long()

    def transfers_broken(self):
        self.run_.traffic.check_long()
        if self.run_.traffic.broken:
            raise Wrong(f"transfers broken: {self.run_.traffic.broken[:3]}")

    def counted(self, before):
        """Compares what was charged with the count outside; the new measurement."""
        after = self.run_.measure(self.active())
        self.wait_right("calm, with the traffic held", self.not_level)
        if before:
            row = self.run_.judge("rounds", before, after)
            figures = {k: row[k] for k in ("mischarged_bytes", "uncharged_bytes",
                       "flows_on_another_rule", "lost_up", "lost_down", "gap_ms")}
            print(f"    charged: {figures}", flush=True)
            # Where a record of a request that was read may be nowhere, its connection is left with its
            # L3/L4 rule: one of each such session manager at most. Else there is nothing.
            bad = row["mischarged_bytes"] > self.requests_cut * ONE_REQUEST or \
                row["flows_on_another_rule"] > self.requests_cut
            if not self.lost_chassis and not self.lost_sessions:
                bad |= row["uncharged_bytes"] != 0
            if bad:
                raise Wrong(f"charged otherwise than counted outside: {figures}: " +
                            str({n: r for n, r in row["rules"].items() if any(
                                r.get("charged_" + d, 0) != r.get("offered_" + d, 0)
                                for d in ("up", "down"))}))
            if row["flows_not_kept"] and self.ended == self.ended_now() and \
                    not self.lost_chassis and not self.lost_sessions:
                raise Wrong(f"flows are gone or on another rule: {row['flows_not_kept'][:4]}")
        self.lost_chassis = False
        self.lost_sessions = self.requests_cut = 0
        self.ended = self.ended_now()
        self.run_.go_on()
        self.run_.traffic.resume()
        self.flowing()
        return after


def main():
    directory, build, seed, number = sys.argv[1:5]
    storm = Storm(directory, build, int(seed))
    try:
        storm.rounds(int(number))
    except (Wrong, BedError) as e:
        print(f"FAIL: seed {seed}: {e}", flush=True)
        storm.heal()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
