#!/usr/bin/env python3
"""crowd: what lives in the namespaces of the subscribers and servers of chaos.py.

crowd.py serve                          answers datagrams and streams with what they bring
crowd.py traffic SEED                   small packets from many subscribers; told by lines on its
                                        standard input: run, pause, probe SECONDS
crowd.py owners DEVICE OWN ADDRESS      who answers for an IPv4 address on a link"""
import json
import os
import random
import select
import socket
import struct
import sys
import time

SUBSCRIBERS = 24
TALK_EVERY = 0.003
UDP = [("198.51.100.70", 7007), ("198.51.100.50", 53)]
UDP6 = [("2001:db8:99::70", 7007), ("2001:db8:99::50", 53)]
TCP = ("198.51.100.60", 5201)
TCP6 = ("2001:db8:99::60", 5201)
QUESTION = (struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + b"\7example\4test\0" +
            struct.pack("!2H", 1, 1))


def v4(i):
    return f"10.45.{i // 256}.{i % 256}"


def v6(i):
    return f"2001:db8:45:{i:x}::1"


def serve():
    """Answers datagrams and streams with what they bring."""
    poll = select.epoll()
    by_fd = {}

    def add(s):
        s.setblocking(False)
        by_fd[s.fileno()] = s
        poll.register(s, select.EPOLLIN)

    for places, family in ((UDP, socket.AF_INET), (UDP6, socket.AF_INET6)):
        for place in places:
            s = socket.socket(family, socket.SOCK_DGRAM)
            s.bind(place)
            add(s)
    listeners = set()
    for place, family in ((TCP, socket.AF_INET), (TCP6, socket.AF_INET6)):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(place)
        s.listen(64)
        listeners.add(s.fileno())
        add(s)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            s = by_fd[fd]
            try:
                if fd in listeners:
                    add(s.accept()[0])
                elif s.type == socket.SOCK_DGRAM:
                    data, peer = s.recvfrom(2048)
                    s.sendto(data, peer)
                else:
                    data = s.recv(4096)
                    if data:
                        s.send(data)
                    else:
                        raise OSError
            except BlockingIOError:
                pass
            except OSError:
                if s.type == socket.SOCK_STREAM and fd not in listeners:
                    del by_fd[fd]
                    s.close()


class Talk:
    """Small packets from many subscribers: new and old flows, streams that end or are reset."""

    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.open = []
        self.sent = 0

    def address(self, six):
        i = self.rnd.randint(1, SUBSCRIBERS)
        return v6(i) if six else v4(i)

    def new(self):
        six = self.rnd.random() < 0.3
        stream = self.rnd.random() < 0.3
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET,
                          socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        s.setblocking(False)
        if stream and self.rnd.random() < 0.3:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            s.bind((self.address(six), 0))
            s.connect((TCP6 if six else TCP) if stream else self.rnd.choice(UDP6 if six else UDP))
        except BlockingIOError:
            pass
        except OSError:
            s.close()
            return
        self.open.append(s)
        if len(self.open) > 150:
            self.open.pop(self.rnd.randrange(100)).close()

    def turn(self):
        if not self.open or self.rnd.random() < 0.2:
            self.new()
        if not self.open:
            return
        s = self.rnd.choice(self.open)
        data = QUESTION if self.rnd.random() < 0.3 else bytes(self.rnd.randint(1, 900))
        try:
            s.send(data)
            self.sent += 1
            s.recv(4096)
        except BlockingIOError:
            pass
        except OSError:
            if s.type == socket.SOCK_STREAM:
                self.open.remove(s)
                s.close()

    def probe(self, limit):
        """Each subscriber asks until it is answered; those that never were."""
        left = {}
        for i in range(1, SUBSCRIBERS + 1):
            for six in (False, True):
                s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
                s.setblocking(False)
                s.bind((v6(i) if six else v4(i), 0))
                s.connect((UDP6 if six else UDP)[0])
                left[s] = v6(i) if six else v4(i)
        end = time.monotonic() + limit
        while left and time.monotonic() < end:
            for s in left:
                try:
                    s.send(b"probe")
                except OSError:
                    pass
            again = time.monotonic() + 0.25
            while left and time.monotonic() < again:
                for s in select.select(list(left), [], [], max(0.0, again - time.monotonic()))[0]:
                    try:
                        if s.recv(64) == b"probe":
                            del left[s]
                            s.close()
                    except OSError:
                        pass
        for s in left:
            s.close()
        return sorted(left.values())


def traffic(seed):
    talk, running, due = Talk(seed), False, 0.0
    print("ready", flush=True)
    while True:
        wait = max(0.0, due - time.monotonic()) if running else None
        if select.select([0], [], [], wait)[0]:
            words = os.read(0, 200).decode().split()
            if not words:
                return
            if words[0] == "probe":
                print(json.dumps(talk.probe(float(words[1]))), flush=True)
            else:
                running = words[0] == "run"
                print(json.dumps(talk.sent), flush=True)
        if running and time.monotonic() >= due:
            talk.turn()
            due = max(due + TALK_EVERY, time.monotonic() - 0.1)


def owners(device, own, want):
    """Who answers for an IPv4 address on a link: MAC addresses."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
    s.bind((device, 0))
    mac = s.getsockname()[4]
    arp = (b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac +
           socket.inet_aton(own) + bytes(6) + socket.inet_aton(want))
    found, end, due = set(), time.monotonic() + 0.4, 0.0
    while time.monotonic() < end:
        if time.monotonic() >= due:
            s.send(arp)
            due = time.monotonic() + 0.1
        if select.select([s], [], [], 0.05)[0]:
            p = s.recv(200)
            if p[20:22] == b"\0\2" and p[28:32] == socket.inet_aton(want):
                found.add(p[22:28].hex(":"))
    print(json.dumps(sorted(found)))


if __name__ == "__main__":
    {"serve": serve, "traffic": lambda seed: traffic(int(seed)),
     "owners": owners}[sys.argv[1]](*sys.argv[2:])
