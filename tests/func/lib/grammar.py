"""Every command of the tables of the active-charging service, with its arguments at their limits and one
past them: configurations that must load, and lines that must be refused. The tables are read by the C
preprocessor, as the programs read them.

grammar.py DIRECTORY KEYS COMPILER   writes good.cfg, good.json and bad-N.cfg, bad-N.json there
grammar.py --printed DIRECTORY FILE  compares what was printed of good.cfg with what was entered
"""
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
BAD_OF_A_FILE = 18  # errors of a file, fewer than a parse gives up at

# Who opens a mode, and what closes it; {} is a name.
OPEN = {
    "ACS": ([], 0), "RULEBASE": (["rulebase {}"], 1), "CHARGING": (["charging-action {}"], 1),
    "POLICY": (["bandwidth-policy {}"], 1), "QOSGROUP": (["qos-group-of-ruledefs {}"], 1),
    "FILTER": (["packet-filter {}"], 1), "EDR": (["edr-format {}"], 1), "UDR": (["udr-format {}"], 1),
    "TRIGACT": (["trigger-action {}"], 1), "TRIGCOND": (["trigger-condition {}"], 1),
    "SCHEME": (["service-scheme {}"], 1),
    "TRIGGER": (["service-scheme {}", "trigger flow-create"], 2),
    "SUBSCLASS": (["subs-class {}"], 1), "SUBSBASE": (["subscriber-base {}"], 1),
    "GROUP": (["group-of-ruledefs {}"], 1), "RULEDEF": (["ruledef {}"], 1),
}
# Handlers whose commands are tried with all their arguments.
HANDLERS = set("""ecs_charging_set ecs_rulebase_set ecs_action_line ecs_post_line ecs_route_line
ecs_filter_set ecs_attribute ecs_variable ecs_label ecs_delimiter ecs_l4_flows ecs_sync_timer ecs_limit
ecs_idle ecs_trigact_set ecs_trigcond_set ecs_flow_recovery ecs_cond_rule ecs_cond_delay ecs_cond_any
ecs_trigger ecs_scheme_priority ecs_subs_line ecs_subs_bind ecs_or ecs_group_add ecs_open ecs_charging
ecs_filter ecs_record ecs_policy ecs_policy_set ecs_qos_group ecs_qos_group_set ecs_user_agent""".split())
# What is not provided: the command is known, and refused with its reason.
NOT_PROVIDED = {"after-reordering", "egcdr", "gtpp", "pgw-cdr", "radius", "rf", "vogx"}
TYPES = {"num": (0, 2**32 - 1), "name": (1, 63), "text": (1, 127), "word": (1, 63), "path": (1, 255)}
FIXED = {"addr": "192.0.2.1", "addr4": "192.0.2.1", "addr6": "2001:db8::1", "prefix": "192.0.2.0/24"}
# Values of a beginning are printed by nothing, as they are what is without the line.
SILENT = re.compile(r"""^(dynamic-rule\ order\ always-first|direction\ bi-directional|delimiter\ comma
	|tcp\ packets-out-of-order\ transmit\ immediately|transactional-rule-matching\ response\ http\ all
	|charge-volume\ ip\ bytes|content-filtering\ mode\ category\ static-only|flow\ control-handshaking\ charge-separate-from-application
	|flow\ action\ readdress$|cca\ charging\ credit\ rating-group\ 0|charge-request-to-response\ http\ all
	|idle-timeout\ |trigger\ |.*-noconfirm$)""", re.X)
# What `no` leaves behind where it is not what was at the beginning.
LEFT_BY_NO = {"flow idle-timeout": "flow idle-timeout 0", "tcp 2msl-timeout": "no tcp 2msl-timeout"}


class Row:
    def __init__(self, mode, pattern, handler, enter):
        self.mode, self.handler, self.enter = mode, handler, enter
        self.prefix = ""
        m = re.match(r"(\[(?:no|default)(?:\|default)?\]|\{no\|default\}|no) (.*)", pattern)
        if m:
            self.prefix, pattern = m.group(1), m.group(2)
        self.pattern = pattern
        self.tree = parse(pattern)

    def unset_only(self):
        return self.prefix in ("{no|default}", "no")

    def forms(self):
        return re.findall(r"no|default", self.prefix)


def tables(compiler):
    """The rows of config.def."""
    source = '#define CHASSIS_CLI_CONFIG(mode, pattern, fn, arg, enter, help) @ROW@ mode @ pattern @ fn @ enter @END@\n'
    # patterns that rows share
    source += "".join(re.findall(r"^#define ECS_[A-Z_]*PATTERN(?:.*\\\n)*.*\n", "".join(
        f.read_text() for f in sorted(TOP.glob("ecs/rule/*.h"))), re.M))
    source += '#include "chassis/cli/config.def"\n'
    text = subprocess.run([*compiler.split(), "-E", "-P", "-x", "c", f"-I{TOP}", "-"], input=source, text=True,
                          check=True, stdout=subprocess.PIPE).stdout
    for row in re.findall(r"@ROW@(.*?)@END@", text, re.S):
        mode, pattern, handler, enter = (p.strip() for p in row.split("@"))
        pattern = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', pattern))
        yield Row(mode, " ".join(pattern.split()), handler, enter)


# --- patterns ------------------------------------------------------------------------------------

def parse(pattern):
    tokens = re.findall(r"<=(?= |\||\})|<[a-z][^>]*>|\]\*|\}\+|[\[\]{}|]|[^\s\[\]{}|]+", pattern)
    at = 0

    def sequence():
        nonlocal at
        items = []
        while at < len(tokens) and tokens[at] not in ("]", "}", "|", "]*", "}+"):
            t = tokens[at]
            at += 1
            if t in "[{":
                choices = [sequence()]
                while tokens[at] == "|":
                    at += 1
                    choices.append(sequence())
                close = tokens[at]
                at += 1
                items.append((t == "[", close in ("]*", "}+"), choices))
            else:
                items.append(t)
        return items

    tree = sequence()
    assert at == len(tokens), pattern
    return tree


def instances(items):
    """Token lists; each part of the pattern is in one of them at least."""
    parts = []
    for item in items:
        if isinstance(item, str):
            parts.append([[item]])
            continue
        optional, several, choices = item
        each = [instances(c) for c in choices]
        got = [[]] if optional else []
        for e in each:
            got += e
        if several and len(choices) > 1:
            got.append([t for e in each for t in e[-1]])
        parts.append(got)
    n = max((len(p) for p in parts), default=0)
    return [[t for p in parts for t in p[min(i, len(p) - 1)]] for i in range(n)]


def argument(token):
    """(name, type, least, most) of <name=type:least..most>; None of a keyword."""
    m = re.fullmatch(r"<(?:([a-z0-9-]+)=)?([a-z0-9]+)(?::(\d+)(?:\.\.(\d+))?)?>", token)
    if not m:
        return None
    least, most = TYPES.get(m[2], (0, 0))
    if m[3]:
        least, most = (int(m[3]), int(m[4])) if m[4] else (TYPES[m[2]][0], int(m[3]))
    return m[1] or m[2], m[2], least, most


def usual(token):
    a = argument(token)
    if not a:
        return token
    name, kind, least, most = a
    if name == "url":
        return "http://portal.example/"
    if kind == "num":
        return str(most if name in ("to", "till", "most") else least)
    return FIXED.get(kind, "n1")


def line(tokens, at=None, value=None):
    """A line of usual values, but for the argument at one place."""
    words = [usual(t) if i != at else value for i, t in enumerate(tokens)]
    if "committed-data-rate" in words and "peak-data-rate" not in words:
        k = words.index("direction") + 2
        words[k:k] = ["peak-data-rate", "4294967295"]
    elif "committed-data-rate" in words:
        words[words.index("peak-data-rate") + 1] = "4294967295"
    return " ".join(f'"{w}"' if " " in w else w for w in words)


unique = itertools.count()


def long_word(name, n):
    """n characters that no other word has."""
    return (("http://a/" if name == "url" else "") + f"l{next(unique)}_").ljust(n, "x")


def limits(tokens, seen):
    """(line, good): each argument at its limits, and one past them; those behind a word that was seen in
    the same command are left out."""
    for i, t in enumerate(tokens):
        a = argument(t)
        if not a or (tokens[i - 1], t) in seen:
            continue
        seen.add((tokens[i - 1], t))
        name, kind, least, most = a
        if kind == "num":
            yield line(tokens, i, str(most)), name != "num" or "to" not in tokens
            if name == "to":
                continue
            yield line(tokens, i, str(most + 1)), False
            if least > 0:
                yield line(tokens, i, str(least - 1)), False
        elif kind in ("name", "text"):
            yield line(tokens, i, long_word(name, most)), True
            yield line(tokens, i, long_word(name, most + 1)), False
            yield line(tokens, i, '""'), False
        else:
            yield line(tokens, i, "300.1.2.3"), False


# --- configurations ------------------------------------------------------------------------------

class Writer:
    def __init__(self, keys):
        self.keys, self.objects, self.n = keys, [], 0

    def add(self, mode, row, lines, unset=None):
        """An object (or the service) with these lines; what is said of them is compared later."""
        self.n += 1
        self.objects.append({"mode": mode, "name": f"o{self.n}", "lines": lines, "unset": unset,
                             "enters": row.enter != row.mode})

    @staticmethod
    def block(o):
        opened, depth = OPEN[o["mode"]]
        out = [x.format(o["name"]) for x in opened]
        for text in o["lines"]:
            out.append(text)
            if o["enters"] and not text.startswith("no "):
                out.append("#exit")
        return out + ["#exit"] * depth

    def config(self, blocks):
        return ["configure", f'license key-file "{self.keys}"', "active-charging service s1",
                *(x for b in blocks for x in b), "#exit", "end"]


def first_words(row):
    return {t[0] for t in instances(row.tree)}


def write(directory, keys, compiler):
    rows = list(tables(compiler))
    mine = [r for r in rows if r.mode in OPEN and r.handler in HANDLERS]
    sets = [r for r in mine if not r.unset_only()]
    w, bad = Writer(keys), []

    def elsewhere(row, text):
        """A mode that does not begin a command so."""
        word = text.split()[0]
        for mode in sorted(OPEN):
            if mode != row.mode and not any(f.startswith(word) for r in rows if r.mode == mode for f in first_words(r)):
                return mode
        return None

    for row in (r for r in rows if r.handler == "not_provided" and r.mode in OPEN):
        for k, tokens in enumerate(instances(row.tree)):
            text = line(tokens)
            if not row.unset_only():
                bad.append((row.mode, row, text, "provided"))
            for form in row.forms() if k == 0 else ():
                w.add(row.mode, row, [f"{form} {text}"], form)

    fields = {} # of records: all have the same arguments
    for row in sets:
        seen = fields.setdefault((row.mode, row.handler), set()) \
            if row.handler in ("ecs_attribute", "ecs_variable") else set()
        whole = not seen
        for k, tokens in enumerate(instances(row.tree)):
            text = line(tokens)
            if row.handler != "ecs_route_line" and NOT_PROVIDED & set(tokens):
                bad.append((row.mode, row, text, "provided"))
                continue
            w.add(row.mode, row, [text])
            if k == 0 and whole:
                if mode := elsewhere(row, text):
                    bad.append((mode, row, text, "expected"))
                # behind what may have one more word of its own choice, the longest is tried
                free = [t for t in instances(row.tree) if t[:len(tokens)] == tokens and len(t) > len(tokens)
                        and argument(t[len(tokens)])]
                bad.append((row.mode, row, line(max(free, key=len)) + " nonsense-word" if free
                            else text + " nonsense-word", "expected"))
            for limit, good in limits(tokens, seen):
                if good:
                    w.add(row.mode, row, [limit])
                else:
                    bad.append((row.mode, row, limit, "expected"))
            for form in row.forms():
                w.add(row.mode, row, [text, f"{form} {text}"], form)
    for row in mine:
        if not row.unset_only():
            continue
        seen = set()
        for tokens in instances(row.tree):
            text = line(tokens)
            # the commands that this one takes back: those with the same first words
            head = re.split(r" [<\[{]", row.pattern)[0]
            for form in ("no", "default") if row.prefix == "{no|default}" else ("no",):
                before = [t for r in sets if r.mode == row.mode and r.pattern.startswith(head)
                          for t in instances(r.tree)
                          if set(text.split()) <= set(line(t).split()) and not NOT_PROVIDED & set(t)]
                if before and not NOT_PROVIDED & set(tokens):
                    w.add(row.mode, row, [line(min(before, key=len)), f"{form} {text}"], form)
            if row.handler in ("ecs_attribute", "ecs_variable"):
                continue
            for limit, good in limits(tokens, seen):
                if not good:
                    bad.append((row.mode, row, "no " + limit, "expected"))
    pack(w)
    save(directory, w, bad)
    print(f"{len(sets)} commands, {len(w.objects)} objects that load, {len(bad)} lines that do not")


def pack(w):
    """Fields of records stand together in formats, each at a priority of its own; what must be alone has
    an object of its own."""
    packed, out = {}, []
    for o in w.objects:
        m = re.fullmatch(r"((?:attribute|rule-variable|event-label) .*priority )(\d+)", o["lines"][-1])
        if o["mode"] not in ("EDR", "UDR") or o["unset"] or not m:
            out.append(o)
            continue
        if m[2] == "65535":
            continue
        into = packed.get(o["mode"])
        if not into or len(into["lines"]) == 60:
            into = packed[o["mode"]] = {**o, "lines": []}
            out.append(into)
        into["lines"].append(f"{m[1]}{len(into['lines']) + 1}")
    for mode in ("EDR", "UDR"):
        out.append({"mode": mode, "name": f"last{mode}", "unset": None, "enters": False,
                    "lines": ["attribute sn-end-time priority 65535", "attribute sn-end-time priority 1"]})
    w.objects = out


def save(directory, w, bad):
    Path(directory, "good.cfg").write_text("\n".join(w.config(w.block(o) for o in w.objects)) + "\n")
    Path(directory, "good.json").write_text(json.dumps(w.objects))
    for n in range(0, len(bad), BAD_OF_A_FILE):
        text, expect = w.config([]), []
        end = text[-2:]
        del text[-2:]
        for k, (mode, row, wrong, reason) in enumerate(bad[n:n + BAD_OF_A_FILE]):
            opened, depth = OPEN[mode]
            text += [x.format(f"b{k}") for x in opened] + [wrong]
            expect.append([len(text), wrong, reason])
            # a block that could not be opened is still closed
            text += ["#exit"] * (depth + (1 if row.enter != row.mode and mode == row.mode else 0))
        name = f"bad-{n // BAD_OF_A_FILE}"
        Path(directory, name + ".cfg").write_text("\n".join(text + end) + "\n")
        Path(directory, name + ".json").write_text(json.dumps(expect))


# --- what was printed ----------------------------------------------------------------------------

def printed_blocks(text):
    """{(keyword, name): lines} of the blocks of the service; ("", "") its own lines."""
    out, key = {("", ""): []}, None
    for raw in text.splitlines():
        depth, rest = len(raw) - len(raw.lstrip()), raw.strip()
        if depth == 4 and rest == "#exit":
            key = None
        elif depth == 4 and key is None:
            m = re.fullmatch(r"(\S+) (\S+)", rest)
            if m and m[1] in {o[0][0].split()[0] for o in OPEN.values() if o[0]} | {"xheader-format"}:
                key = (m[1], m[2])
                out[key] = []
            else:
                out["", ""].append(rest)
        elif depth > 4 and key:
            out[key].append(rest)
    return out


def unquoted(text):
    return re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text)


def words(text):
    return {a or b for a, b in unquoted(text)}


def compare(directory, file):
    blocks, wrong = printed_blocks(Path(file).read_text()), 0
    for o in json.loads(Path(directory, "good.json").read_text()):
        opened, _ = OPEN[o["mode"]]
        if not opened or o["enters"]:
            continue
        got = blocks.get((opened[0].split()[0], o["name"]))
        if o["mode"] == "TRIGGER" and got is not None:
            got = [x for x in got if x not in ("trigger flow-create", "#exit")]
        if got is None:
            wrong += 1
            print(f"{o['name']} is not printed: {o['lines']}")
        elif o["unset"]:
            left = [v for k, v in LEFT_BY_NO.items() if o["unset"] == "no" and o["lines"][-1] == "no " + k]
            if got != left:
                wrong += 1
                print(f"after {o['lines']}: {got}")
        else:
            there = set().union(*map(words, got)) if got else set()
            for text in o["lines"]:
                lost = words(text) - there - {"default"}
                if lost and not SILENT.match(text):
                    wrong += 1
                    print(f"{text}: {sorted(lost)} lost in {got}")
    return wrong


if __name__ == "__main__":
    if sys.argv[1] == "--printed":
        sys.exit(compare(*sys.argv[2:]) != 0)
    if sys.argv[1] == "--refused":
        said = sys.stdin.read()
        wrong = [f"{text}: {reason}" for n, text, reason in json.loads(Path(sys.argv[2]).read_text())
                 if not re.search(rf"\.cfg:{n}: .*{re.escape(reason)}", said)]
        for text in wrong:
            print(text)
        sys.exit(bool(wrong))
    write(*sys.argv[1:])
