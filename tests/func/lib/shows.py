"""Every show of the table of commands, in each of its forms, and what its text and its JSON must have in
common."""
import collections
import itertools
import json
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
SHOWN = {"True": "Y", "False": "N", "(no rule)": ""}  # in text, where that is another
KEY = re.compile(r"[a-z][a-z0-9_]*")


class Bad(Exception):
    """A JSON answer is not as it is promised."""


def patterns():
    """The patterns of the rows of exec.def that show something."""
    text = (TOP / "chassis/cli/exec.def").read_text(encoding="utf-8")
    return re.findall(r'^CHASSIS_CLI_EXEC\(\w+, *"(show [^"]*)"', text, re.M)


def forms(pattern, given):
    """Commands of a pattern: of each group every one of its alternatives, and none of those that need not be.
    given: values of arguments by their name or type."""
    words = re.findall(r"<[^>]*>|[^\s\[\]{}|]+|[\[\]{}|]", re.sub(r"([\]}])[*+]", r"\1", pattern))
    got, rest = sequence(words, given)
    assert not rest, pattern
    return sorted({" ".join(f.split()) for f in got})


def sequence(words, given):
    parts = []
    while words and words[0] not in "|]}":
        if words[0] in "[{":
            optional, words, group = words[0] == "[", words[1:], []
            while True:
                some, words = sequence(words, given)
                group += some
                end, words = words[0], words[1:]
                if end != "|":
                    break
            parts.append(group + [""] * optional)
        else:
            parts.append([value(words[0], given)])
            words = words[1:]
    return [" ".join(p) for p in itertools.product(*parts)], words


def value(word, given):
    if word[0] != "<":
        return word
    name = re.match(r"<(?:(\w+)=)?(\w+)", word)
    return given[name.group(1) or name.group(2)]


def load(text):
    """The document; Bad where a key is empty, there twice, or no name."""
    def pairs(members):
        names = [k for k, _ in members]
        wrong = [k for k in names if names.count(k) > 1 or not KEY.fullmatch(k)]
        if wrong:
            raise Bad(f"keys {sorted(set(wrong))}")
        return dict(members)
    return json.loads(text, object_pairs_hook=pairs)


def lists(doc):
    """Lists of objects in the order in which they stand; those inside of an object behind its own list."""
    if isinstance(doc, dict):
        for v in doc.values():
            yield from lists(v)
    elif isinstance(doc, list) and all(isinstance(x, dict) for x in doc):
        yield doc
        for x in doc:
            yield from lists(x)


def mixed(doc):
    """Members that are of one type in one object of a list and of another in the next."""
    for rows in lists(doc):
        types = collections.defaultdict(set)
        for r in rows:
            for k, v in r.items():
                types[k].add(type(v).__name__)
        yield from (k for k, t in types.items() if len(t) > 1)


def tables(text):
    """Numbers of rows of the tables with underlined titles."""
    lines, found = text.splitlines(), []
    for i, line in enumerate(lines):
        if i and re.fullmatch(r"[- ]*--[- ]*", line) and re.search(r"\w$", lines[i - 1].strip()):
            rows = itertools.takewhile(lambda l: l.strip() and not re.match(r"\w[\w ]*:", l), lines[i + 1:])
            found.append(len(list(rows)))
    return found


def compare(text, doc):
    """What differs between both; None: nothing."""
    sizes = iter([len(x) for x in lists(doc)])
    for n in tables(text):
        if n not in sizes:
            return f"a table of {n} rows, lists of {[len(x) for x in lists(doc)]}"
    for rows in lists(doc):
        first = collections.Counter(str(next(iter(r.values()))) for r in rows if r)
        for v, n in first.items():
            shown = SHOWN.get(v, v)
            if text.lower().count(shown.lower()) < n:
                return f"{shown!r} not {n} times in text, of as many objects"
    total = re.findall(r"^Total [^:]*: (\d+)$", text, re.M)
    if "total" in doc and str(doc["total"]) not in total:
        return f"total {doc['total']}, not {total}"
    return None
