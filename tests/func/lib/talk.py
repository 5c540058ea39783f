#!/usr/bin/env python3
"""talk: subscribers that talk to servers by UDP all the time, and the servers that answer.

talk.py serve ADDRESS/PORT...                       answers each datagram with itself
talk.py talk STATUS SERVER/PORT,... SUBSCRIBER...   one flow from each subscriber to each server of its
                                                    family; to port 53 it is DNS questions

The talker sends in rounds and writes what came of it to STATUS, as one line of JSON: round, flows, and
the least round that every flow had answered. Who wants to know whether service goes on notes the round
and waits until the least has passed it. What was passed over by then is in missed, which only grows."""
import json
import os
import select
import socket
import struct
import sys
import time

EVERY = 0.05


def bound(address, port):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    s.setblocking(False)
    return s


def serve(places):
    poll = select.poll()
    by_fd = {}
    for place in places:
        address, port = place.rsplit("/", 1)
        s = bound(address, int(port))
        by_fd[s.fileno()] = s
        poll.register(s, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            try:
                data, peer = by_fd[fd].recvfrom(2048)
                by_fd[fd].sendto(data, peer)
            except OSError:
                pass  # a way back that is gone for a moment


def question(flow, number):
    name = b"".join(bytes([len(x)]) + x for x in (b"%d-%d" % (flow, number), b"example", b"test"))
    return struct.pack("!6H", number & 0xffff, 0x0100, 1, 0, 0, 0) + name + b"\0" + struct.pack("!2H", 1, 1)


class Flow:
    def __init__(self, index, subscriber, server, port):
        self.index = index
        self.socket = bound(subscriber, 0)
        self.socket.connect((server, port))
        self.dns = port == 53
        self.answered = self.missed = 0

    def send(self, number):
        data = question(self.index, number) if self.dns else b"%d-%d" % (self.index, number)
        try:
            self.socket.send(data)
        except OSError:
            pass  # refused, or no way: the round stays unanswered

    def receive(self):
        try:
            data = self.socket.recv(2048)
        except OSError:
            return
        label = data[13:13 + data[12]] if self.dns and len(data) > 13 else data
        try:
            index, number = map(int, label.split(b"-"))
        except ValueError:
            return
        if index == self.index and number > self.answered:
            self.missed += number - self.answered - 1
            self.answered = number


def flows(servers, subscribers):
    found = []
    for subscriber in subscribers:
        for place in servers.split(","):
            server, port = place.rsplit("/", 1)
            if (":" in server) == (":" in subscriber):
                found.append(Flow(len(found), subscriber, server, int(port)))
    return found


def talk(status, servers, subscribers):
    poll = select.poll()
    by_fd = {}
    for flow in flows(servers, subscribers):
        by_fd[flow.socket.fileno()] = flow
        poll.register(flow.socket, select.POLLIN)
    number, due = 0, time.monotonic()
    while True:
        if time.monotonic() >= due:
            number, due = number + 1, time.monotonic() + EVERY
            for flow in by_fd.values():
                flow.send(number)
            with open(status + ".new", "w", encoding="ascii") as f:
                json.dump({"round": number, "flows": len(by_fd),
                           "least": min(x.answered for x in by_fd.values()),
                           "missed": sum(x.missed for x in by_fd.values())}, f)
            os.replace(status + ".new", status)
        for fd, _ in poll.poll(max(1, (due - time.monotonic()) * 1000)):
            by_fd[fd].receive()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    else:
        talk(sys.argv[2], sys.argv[3], sys.argv[4:])
