#!/usr/bin/env python3
"""rows KEY[,KEY...] [KEY=VALUE...]: reads JSON and prints, for each object in it that has all these keys
and values, the values of the keys in one line."""
import json
import sys


def walk(doc, keys, want):
    if isinstance(doc, dict):
        if all(k in doc for k in keys) and all(str(doc.get(k)) == v for k, v in want):
            print(*(doc[k] for k in keys))
        doc = list(doc.values())
    if isinstance(doc, list):
        for d in doc:
            walk(d, keys, want)


walk(json.load(sys.stdin), sys.argv[1].split(","), [a.split("=", 1) for a in sys.argv[2:]])
