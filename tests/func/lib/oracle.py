"""oracle: says of each packet which rule charges it, and what becomes of it. Slow and plain: nothing is
remembered but what a flow has said and by what it was matched. It reads packets and knows nothing of who made
them. What it holds for right is in the manuals and in the chapter on flow recovery; where they leave a choice,
a verdict names all that is permitted."""
import re

import oracle_said
from oracle_packet import ACK, FIN, ICMP, ICMP6, RST, SYN, TCP, UDP, Packet
from oracle_rules import Action, Base, Call, Group, Line, Rule

__all__ = ["ICMP", "ICMP6", "TCP", "UDP", "Action", "Base", "Call", "Group", "Line", "NO_RULE", "Oracle", "Packet",
           "Rule"]
NO_RULE = "(no rule)"


def name_of(rule):
    return rule.name if rule else NO_RULE


def ahead_of(seq, other):
    """How far a sequence number is ahead of another."""
    return (seq - other + 2**31) % 2**32 - 2**31


def tcp_state(state, p, opener_up):
    """The state of a connection after a packet: opening is told from the side that sent the SYN, closing from the
    subscriber's end. Acknowledgements are not compared with sequence numbers."""
    if p.flags & RST:
        return "close"
    if p.flags & SYN:
        began = "syn-received" if p.flags & ACK else "syn-sent"
        return began if state is None or (state, began) == ("syn-sent", "syn-received") else state
    if p.flags & FIN:
        after = {None: "fin-wait1", "syn-sent": "fin-wait1", "syn-received": "fin-wait1",
                 "established": "fin-wait1", "close-wait": "last-ack"} if p.up else \
            {None: "close-wait", "syn-sent": "close-wait", "syn-received": "close-wait",
             "established": "close-wait", "fin-wait1": "closing", "fin-wait2": "time-wait"}
    elif state in ("syn-sent", "syn-received"):  # the third packet of the handshake is the opener's
        after = {state: "established"} if p.up == opener_up else {}
    else:
        after = {None: "established", "closing": "time-wait"}
        if not p.up:
            after |= {"fin-wait1": "fin-wait2", "last-ack": "close"}
    return after.get(state, state)


class Stream:
    """One direction of a connection: segments in their order, each byte once."""

    def __init__(self, at=None):
        self.next, self.segments = at, {}

    def push(self, seq, data):
        """A segment; the bytes that are in order now."""
        if len(data) > len(self.segments.get(seq, b"")):
            self.segments[seq] = data
        whole = b""
        for s in sorted(self.segments, key=lambda n: ahead_of(n, self.next)):
            ahead = ahead_of(s, self.next)
            if ahead > 0:
                break
            part = self.segments.pop(s)[-ahead:]
            self.next = (self.next + len(part)) & 0xffffffff
            whole += part
        return whole


class Flow:
    """What one flow has said, and how it stands."""

    def __init__(self, p, call, old):
        self.call, self.key = call, p.key()
        self.first_up = p.up
        self.begun = bool(p.flags & SYN) if p.proto == TCP else not old  # seen from its beginning
        self.l34 = not self.begun      # by lines of L3 and L4, from here on
        answer = p.proto == TCP and p.flags & (SYN | ACK) == SYN | ACK
        self.opener_up = p.up != answer
        self.isn = (p.ack - 1) & 0xffffffff if answer else p.seq
        self.state = None              # of TCP
        self.fins = set()              # directions that have ended
        self.fresh = self.begun        # nothing was said, and nothing decided
        self.final = False
        self.held = []                 # packets that wait for the application
        self.verdict = {}              # by direction: the last rule that was matched
        self.permitted = {}            # by direction: others that it may be
        self.kept = False              # recovered: by these rules for its life
        self.recovered = False         # and so it is called, also when its rule was taken from it
        self.rests = False             # its last packet was of no application
        self.taken_up = False          # after a recovery it goes on as a new one: it had not begun
        self.meant = {}                # by direction: the rule of L7 it was found to mean, while that is not its own
        self.stale = False             # rules of its call have changed: it is matched anew
        self.listen()

    def proto(self):
        return self.key[0]

    def listen(self):
        """From its beginning."""
        needs = self.call.base.needs()
        self.said, self.spoken, self.mode = {}, False, ""
        self.again = False
        dns = self.key[4] == 53 and "dns" in needs
        if self.proto() == TCP and dns:
            self.may, self.mode = {"dns"} | needs & {"app"}, "dns"
        elif self.proto() == TCP:
            self.may = needs & {"http", "reply", "tls", "app"}
        elif self.proto() == UDP and dns:
            self.may, self.mode = {"dns"}, "dns"
        else:
            self.may = needs & {"quic"} if self.proto() == UDP else set()
            self.may |= needs & {"app"}
        if not self.begun or self.l34:
            self.may = set()
        self.ears = bool(self.may)     # somebody listens
        self.there, self.back = Stream((self.isn + 1) & 0xffffffff), Stream()
        self.request, self.skip = b"", 0
        self.responses, self.head = oracle_said.Responses(), False
        self.quic = oracle_said.Quic()
        self.banners = set()

    def known(self):
        """All that may make a difference to what is matched."""
        return self.spoken, str(sorted(self.said.items(), key=str)), frozenset(self.may)

    def hear(self, p):
        """Reads the payload of a packet; whether there is something new to know."""
        if not (self.ears or self.again):
            return False
        before, question = self.known(), False
        if self.proto() == TCP:
            self.hear_tcp(p)
        elif p.payload and p.up == self.opener_up:
            question = self.hear_datagram(p)
        return question or self.known() != before

    def hear_datagram(self, p):
        if self.mode == "dns":
            name = oracle_said.read_question(p.payload)
            if name is not None:
                self.said, self.spoken = {"dns": True, "dns query-name": name}, True
                self.may.discard("dns")
                self.ears = True
                return True
        elif "quic" in self.may:
            name = self.quic.feed(p.payload)
            if name is not None:
                self.may.discard("quic")
                self.spoken = name is not False
                self.said = {"p2p app-identifier quic-sni": name or None}
                self.ears = "app" in self.may
        return False

    def hear_tcp(self, p):
        if p.flags & SYN and p.up != self.opener_up:
            self.back.next = (p.seq + 1) & 0xffffffff
        elif p.up == self.opener_up and p.flags & ACK and self.back.next is None:
            self.back.next = p.ack
        if not p.payload:
            return
        if "app" in self.may:
            self.hear_banner(p)
        if p.up == self.opener_up:
            self.read(self.there.push((p.seq + bool(p.flags & SYN)) & 0xffffffff, p.payload))
        elif self.mode in ("", "http") and "reply" in self.call.base.needs():
            # also where requests go another way; bytes of which nobody knows where they begin begin there
            self.back.next = p.seq if self.back.next is None else self.back.next
            for code, kind in self.responses.feed(self.back.push(p.seq, p.payload), self.head):
                self.said |= {"http reply code": code, "http content type": kind}
                self.may.discard("reply")

    def hear_banner(self, p):
        """nDPI knows SSH when both sides have said what they are; after the first it may."""
        if p.payload.startswith(b"SSH-2.0-"):
            self.banners.add(p.up)
        if len(self.banners) == 2:
            self.said["p2p protocol"], self.spoken = "ssh", True

    def nothing_more(self):
        self.may &= {"app"}
        self.ears = bool(self.may)
        self.mode = "over"

    def read(self, data):
        """The opener's bytes, in their order."""
        if self.mode == "over" or not data:
            return
        self.request += data
        if not self.mode:
            first = self.request[:1]
            self.mode = "tls" if first == b"\x16" else "http" if re.match(rb"[A-Z\r\n]", first) else "over"
            if self.mode not in self.may:
                return self.nothing_more()
            self.may &= {self.mode, "app"} | ({"reply"} if self.mode == "http" else set())
        if self.mode == "dns":
            return self.read_questions()
        if self.mode == "tls":
            name = oracle_said.read_hello(self.request)
            if name is not None:
                self.spoken = True
                self.said |= {"tls": True, "tls sni": name or None, "p2p app-identifier tls-sni": name or None}
                self.nothing_more()
            return None
        while self.request:
            n = min(self.skip, len(self.request))
            self.request, self.skip = self.request[n:], self.skip - n
            end = self.request.find(b"\r\n\r\n")
            said = oracle_said.read_request(self.request[:end]) if end >= 0 else None
            if self.request and (not re.match(rb"[A-Z]{1,16}( |$)", self.request) or (end >= 0 and not said)):
                return self.nothing_more()
            if not said:
                break
            self.said, self.skip, self.spoken = said, said["length"], True
            self.head = said["http request method"] == "head"
            self.may = (self.may - {"http"}) | (self.call.base.needs() & {"reply"})
            self.request = self.request[end + 4:]
        return None

    def read_questions(self):
        """Over TCP, each behind its length. What is known is the last one that is whole."""
        while len(self.request) > 1 and len(self.request) >= 2 + int.from_bytes(self.request[:2], "big"):
            size = int.from_bytes(self.request[:2], "big")
            name = oracle_said.read_question(self.request[2:2 + size])
            self.request = self.request[2 + size:]
            if name is not None:
                self.said, self.spoken = {"dns": True, "dns query-name": name}, True
                self.may.discard("dns")

    def over(self, p):
        """A SYN begins another connection: after both FINs, or where only the middle of one was seen."""
        return p.proto == TCP and p.flags & (SYN | ACK | RST) == SYN and \
            (len(self.fins) == 2 or (not self.begun and not self.kept)) and \
            (not self.begun or ahead_of(p.seq, self.isn) != 0)

    def past_beginning(self, p):
        """Whether a packet tells that the opener's first byte has gone by."""
        if p.flags & (SYN | RST):
            return False
        return ahead_of(p.seq if p.up == self.opener_up else p.ack, (self.isn + 1) & 0xffffffff) > 0

    def find(self, p, said, may, l34=False):
        return self.call.find(p, self.key, said, may, self.state, l34)


class Judged:
    """What must become of a packet: rule; besides, others that are permitted; its fate (forwarded, held,
    stopped); its bearer; flow: None where it belongs to none. first: of a held packet, whose rule is not known
    yet, until it is."""

    def __init__(self, p, call, flow):
        self.p, self.call, self.flow = p, call, flow
        self.rule, self.others, self.fate, self.bearer = None, [], "forwarded", 5
        self.recovered = self.pending = self.charged = False
        self.open = False        # another rule can still come before this one
        self.resets = []         # where the chassis sends resets: whether that is uplink


class Oracle:
    """Classifies the packets of all subscribers. calls: by subscriber's address; eligible: names of rules that
    recovery is for."""

    def __init__(self, calls, eligible):
        self.calls = {a: c if isinstance(c, Call) else Call(c) for a, c in calls.items()}
        self.eligible = eligible
        self.flows = {}
        self.old = set()         # flows without a connection that were there before a recovery, and are not known
        self.fragments = {}      # flow by datagram
        self.charged = {}        # by rulebase and rule: packets up, bytes up, packets down, bytes down
        self.unruled = {}        # by who has it and rulebase: the same of what a session is charged with, and no rule
        self.released = []       # packets that have waited, and were charged since the last look

    @staticmethod
    def count(sums, key, j):
        v = sums.setdefault(key, [0, 0, 0, 0])
        v[0 if j.p.up else 2] += 1
        v[1 if j.p.up else 3] += j.p.size

    def charge(self, j):
        self.count(self.charged, (j.call.base.name, name_of(j.rule)), j)
        j.charged = True

    def settle(self, j, name):
        """One of those that are permitted is what was done."""
        rule = next(r for r in [j.rule, *j.others] if name_of(r) == name)
        if rule is not j.rule:
            v = self.charged[j.call.base.name, name_of(j.rule)]
            v[0 if j.p.up else 2] -= 1
            v[1 if j.p.up else 3] -= j.p.size
            if not any(v):
                del self.charged[j.call.base.name, name_of(j.rule)]
            j.rule = j.flow.verdict[j.p.up] = rule
            j.flow.said["p2p protocol"], j.flow.spoken = "ssh", True
            self.charge(j)

    def end(self, f):
        """A flow ends: what waits is charged by what is known."""
        self.flows.pop(f.key, None)
        self.release(f)

    def release(self, f):
        for h in f.held:
            h.rule = f.verdict[h.p.up] if h.p.up in f.verdict else f.find(h.p, None, (), True)[0]
            self.charge(h)
            self.released.append(h)
        f.held = []

    def packet(self, data):
        """Judges an IP packet, and charges it; None where it is of no subscriber."""
        p = Packet(data, lambda a: a in self.calls)
        call = self.calls.get(p.src if p.up else p.dst)
        if call is None:
            return None
        whole = p.frag != "later" and not p.about
        f = self.flow_of(p, call) if whole else \
            self.fragments.get(p.datagram()) if p.frag == "later" else self.flows.get(p.about)
        if f and self.flows.get(f.key) is not f:
            f = None
        if p.frag == "first" and f:
            self.fragments[p.datagram()] = f
        j = Judged(p, call, f)
        key = f.key if f else p.key()
        if not f:
            j.rule = call.find(p, key, None, (), None, True)[0]
        elif whole:
            self.judge(j, f, p)
        elif p.up in f.verdict:
            j.rule = f.verdict[p.up]
        else:                    # its rule was taken from it
            j.rule = call.find(p, key, None, (), None, True)[0]
        if f and f.kept and not whole and call.pending:
            j.rule, j.pending = call.find(p, key, None, (), f.state, True, False)[0], True
        j.recovered = bool(f and f.recovered)
        j.bearer = call.carrier(j.rule, key, p.up)
        self.enforce(j, f, whole)
        if j.fate == "held":
            f.held.append(j)
        if f and f.final:
            self.release(f)
        if f and whole and p.proto == TCP and p.flags & RST:
            self.end(f)
        return j

    def enforce(self, j, f, whole):
        """A packet that is stopped is not charged. What waits is stopped as others are, but not by a rule before which
        another can still come."""
        l34 = f is None or f.kept or f.l34 or not whole
        post = j.call.find_post(j.p, f and f.said, (), f and f.state, l34)
        stops = j.call.stops(j.rule, j.p.up) and not (j.fate == "held" and j.open)
        if stops or (post and post.stops(j.p.up)):
            j.fate = "stopped"
            if f and whole and stops and j.rule.does == "end":
                self.terminate(j, f)
        elif j.fate != "held":
            self.charge(j)

    def terminate(self, j, f):
        """The flow ends; both ends of a connection hear it, but who has not heard of it yet."""
        self.end(f)
        if j.p.proto == TCP and not j.p.flags & RST:
            j.resets = [not j.p.up] + [j.p.up] * bool(j.p.flags & ACK)

    def flow_of(self, p, call):
        f = self.flows.get(p.key())
        if f and f.over(p):
            self.end(f)
            f = None
        if f is None and not (p.proto == TCP and p.flags & RST):
            f = self.flows[p.key()] = Flow(p, call, p.key() in self.old)
            self.old.discard(p.key())
        return f

    def judge(self, j, f, p):
        """The rule of a packet of a flow, or that it waits for what the application says."""
        was = f.state, set(f.fins)
        f.rests = False
        if p.proto == TCP:
            f.state = tcp_state(f.state, p, f.opener_up)
            if p.flags & (FIN | RST) == FIN:
                f.fins.add(p.up)
        if f.taken_up:
            self.take_up(f, p)
        if p.proto == TCP and (p.payload or p.flags & FIN):
            f.fresh = False
        if f.kept and j.call.pending:
            # while control is pending by lines of L3 and L4; what the call was given is what is not known
            j.rule, j.pending = f.call.find(p, f.key, None, (), f.state, True, False)[0], True
            return
        if f.kept:
            j.rule, j.others = f.verdict[p.up], f.permitted.get(p.up, [])
            return
        news = f.begun and not f.l34 and f.hear(p)
        moved = was != (f.state, f.fins)
        if f.final and news:
            f.final = False
        again = moved and all(r is None or r.l34() for r in f.verdict.values())
        if f.final and (f.stale or again and any(f.meant.values())):
            self.decide_anew(f, p)
        elif f.final and again:
            f.final, f.l34 = False, f.l34 or not f.ears
        if f.final:
            j.rule = f.verdict[p.up]
        else:
            self.decide(j, f, p)
        if p.proto == TCP and not p.payload and f.begun:
            self.control_packet(j, f, p)

    def take_up(self, f, p):
        """The first packets after a recovery of a flow that had not begun: it is read from its beginning. What is
        behind the beginning tells that this has gone by unseen: then it keeps the rule it has."""
        if p.proto == TCP and f.past_beginning(p):
            f.kept, f.recovered, f.taken_up = bool(f.verdict), True, False
            if not f.kept:           # its rule was taken from it
                f.l34, f.ears, f.fresh = True, False, False
            self.release(f)
        elif p.proto != TCP or p.payload or p.flags & FIN:
            f.taken_up = False

    def decide(self, j, f, p):
        asked = (None, (), True) if f.l34 else (f.said, f.may, False)
        j.rule, maybe = f.find(p, *asked)
        j.open = maybe
        other, maybe_back = f.find(p.mirrored(), *asked)
        f.final = f.state not in ("syn-sent", "syn-received") and not maybe and not maybe_back
        if len(f.banners) == 1:
            # SSH is known by one banner or by two: nobody promises when
            j.others = [f.find(p, {**f.said, "p2p protocol": "ssh"}, f.may)[0]]
        f.verdict[p.up] = j.rule
        if f.final:
            f.verdict[not p.up] = other
            f.fresh = f.taken_up = f.stale = False
            f.meant = {}
            if not f.spoken and not f.call.base.post_l7():
                f.ears, f.may = False, set()  # nobody had to speak: nobody is listened to
            elif f.mode == "dns" and p.proto == UDP:
                f.ears, f.again = False, True
        else:
            f.verdict.setdefault(not p.up, j.rule)
            if "app" in f.may:
                # nor when nDPI has nothing more to say, so that the other direction has its verdict, too
                ways = [f.said] + [{**f.said, "p2p protocol": "ssh"}] * bool(f.banners)
                f.permitted = {p.up: j.others, not p.up: [f.find(p.mirrored(), x, f.may)[0] for x in ways]}

    @staticmethod
    def means(f, up):
        """The rule of L7 that a direction was found to mean."""
        own = f.verdict.get(up)
        return own if own and not own.l34() else f.meant.get(up)

    def decide_anew(self, f, p):
        """By lines of L3 and L4, and the rule of L7 that the flow was found to mean, while that is there and nothing
        comes before it."""
        f.stale = False
        for q in (p, p.mirrored()):
            known, rule = self.means(f, q.up), f.find(q, None, (), True)[0]
            if known and f.call.has_line(known) and not f.call.comes_before(rule, known):
                rule = known
            f.verdict[q.up], f.meant[q.up] = rule, known if known is not rule else None

    def control_packet(self, j, f, p):
        """A packet without payload on a connection: of the application where its rulebase says so, else by what it
        is itself, once somebody has spoken. Packets of the set-up, and with all-packets all of them, wait until the
        rule is known."""
        takes = f.call.base.takes
        if not f.final and f.ears and ("all-packets" in takes or ("initial-packets" in takes and not f.spoken)):
            j.fate = "held"
            return
        which = "initial-packets" if p.flags & SYN else \
            "tear-down-packets" if p.flags & (FIN | RST) or f.fins else "mid-session-packets"
        if (f.final or f.spoken) and j.rule and not j.rule.l34() and not takes & {"all-packets", which}:
            j.rule, j.others = f.find(p, None, (), True)[0], []
            f.rests = name_of(j.rule) not in self.eligible

    # --- what is not a packet ---

    def undecided(self):
        """Flows that are matched by one of several rules, which only who did it knows."""
        return [f for f in self.flows.values() if f.permitted.get(f.first_up)]

    def cleared(self, call):
        """All flows of a call are ended."""
        for f in [f for f in self.flows.values() if f.call is call]:
            self.end(f)

    def changed(self, call):
        """The call was given rules or bearers, or lost some. A new dynamic rule takes the flows that it means at once,
        each direction where it comes before what the flow has there, but for recovered flows; others are matched anew
        with their next packet. A flow whose rule is gone goes on by lines of L3 and L4, or by the rule of L7 that it
        means when that is back; one that was not decided yet is decided without it."""
        for f in [f for f in self.flows.values() if f.call is call]:
            if f.verdict and not self.has_rules(f, call):
                known = {up: self.means(f, up) for up in f.verdict}
                if f.kept or f.final:
                    f.l34, f.kept, f.fresh, f.again, f.ears = True, False, False, False, False
                    f.final = f.stale = any(known.values())
                f.verdict, f.meant = {}, known if f.final else {}
            elif f.final and not f.kept:
                self.rejudge(f, call)

    @staticmethod
    def has_rules(f, call):
        own, other = f.verdict[f.first_up], f.verdict[not f.first_up]
        return call.still_has(own, f.key, f.first_up) and \
            (other is own or call.still_has(other, f.key, not f.first_up))

    def rejudge(self, f, call):
        given = {}
        for up, own in f.verdict.items():
            d = call.dynamic(f.key, up)
            if d and not (call.base.tied and isinstance(own, Action) and d.precedence > own.priority):
                given[up] = d
        if any(f.verdict[up] is not d for up, d in given.items()):
            f.verdict |= given
        elif len(given) < 2:
            f.stale = True

    def recovery(self, hit, planned, old, new):
        """A switchover, or the death of a session manager, for these calls. Flows of eligible rules keep them;
        connections in which nobody has spoken yet go on as new ones; of others nobody knows more than that they were
        there, where not each question stands for itself. Packets that wait are charged before a planned switchover.
        Where nobody had time to they are of no rule, as soon as who has charged their session goes on after a death.
        old, new: who was active, and who is. The flows that are known."""
        self.fragments = {d: f for d, f in self.fragments.items() if f.call not in hit}
        known = []
        for f in [f for f in self.flows.values() if f.call in hit]:
            if planned:
                self.release(f)
            for j in f.held:
                self.count(self.unruled, (old, f.call.base.name), j)
            f.held = []
            own = f.verdict.get(f.first_up)
            if not f.kept and (own is None or own.name not in self.eligible or f.rests):
                del self.flows[f.key]
                if f.proto() != TCP and not f.again:
                    self.old.add(f.key)
                continue
            known.append(f)
            if f.fresh and not f.kept:
                f.taken_up, f.final = True, False
                f.listen()
            else:
                f.kept = f.recovered = True
                f.stale, f.meant = False, {}
        for name in {c.base.name for c in hit if not planned}:
            lost = self.unruled.pop((new, name), None)
            if lost:
                have = self.charged.get((name, NO_RULE), [0] * 4)
                self.charged[name, NO_RULE] = [a + b for a, b in zip(have, lost)]
        return known
