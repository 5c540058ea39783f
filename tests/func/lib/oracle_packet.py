"""oracle_packet: an IP packet as the oracle reads it: addresses, ports, TCP fields, fragments, and of which
flow an ICMP error speaks."""
import ipaddress
import struct
import zlib

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
ERRORS = {ICMP: (3, 4, 5, 11, 12), ICMP6: (1, 2, 3, 4)}


class Packet:
    """An IP packet; up: from the subscriber."""

    def __init__(self, data, is_subscriber):
        self.frag, self.frag_id, self.ip_id = "", 0, 0
        self.six = data[0] >> 4 == 6
        rest = self.six_header(data) if self.six else self.four_header(data)
        self.src, self.dst = (ipaddress.ip_address(x) for x in (
            (data[8:24], data[24:40]) if self.six else (data[12:16], data[16:20])))
        self.up = is_subscriber(self.src)
        self.sport = self.dport = self.seq = self.ack = self.flags = 0
        self.icmp_type, self.about = None, None
        self.payload = rest
        if self.frag != "later":
            self.upper(rest, is_subscriber)
        self.crc = zlib.crc32(self.payload)

    def four_header(self, data):
        head = (data[0] & 15) * 4
        self.size, self.ip_id, field = struct.unpack_from("!HHH", data, 2)
        self.proto = data[9]
        if field & 0x3fff:
            self.frag, self.frag_id = "later" if field & 0x1fff else "first", self.ip_id
        return data[head:self.size]

    def six_header(self, data):
        self.size = struct.unpack_from("!H", data, 4)[0] + 40
        kind, at = data[6], 40
        while kind in (0, 43, 44, 60) and self.frag != "later":
            following = data[at]
            if kind == 44:
                field, self.frag_id = struct.unpack_from("!HI", data, at + 2)
                if field >> 3 or field & 1:
                    self.frag, self.ip_id = "later" if field >> 3 else "first", self.frag_id
                at += 8
            else:
                at += 8 + data[at + 1] * 8
            kind = following
        self.proto = kind
        return data[at:self.size]

    def upper(self, rest, is_subscriber):
        if self.proto == TCP:
            self.sport, self.dport, self.seq, self.ack = struct.unpack_from("!HHII", rest)
            self.flags = rest[13]
            self.payload = rest[(rest[12] >> 4) * 4:]
        elif self.proto == UDP:
            self.sport, self.dport = struct.unpack_from("!HH", rest)
            self.payload = rest[8:]
        elif self.proto in ERRORS:
            self.icmp_type = rest[0]
            self.payload = rest[8:]
            if self.icmp_type in ERRORS[self.proto]:
                self.about = inner_key(rest[8:], is_subscriber)
            else:
                self.sport = self.dport = struct.unpack_from("!H", rest, 4)[0]  # of an echo

    def key(self):
        """The flow: protocol, subscriber, its port, server, its port."""
        a, b = (self.src, self.sport), (self.dst, self.dport)
        return (self.proto, *(a + b if self.up else b + a))

    def datagram(self):
        """What fragments of one datagram have in common."""
        return self.src, self.dst, self.frag_id, self.proto

    def mirrored(self):
        """The same packet as if it went the other way."""
        m = Packet.__new__(Packet)
        m.__dict__.update(self.__dict__, src=self.dst, dst=self.src, sport=self.dport, dport=self.sport,
                          up=not self.up)
        return m


def inner_key(data, is_subscriber):
    """The flow of the packet that an ICMP error quotes, of which there are 8 bytes of the upper layer."""
    if data[0] >> 4 == 6:
        proto, ends, rest = data[6], (data[8:24], data[24:40]), data[40:]
    else:
        proto, ends, rest = data[9], (data[12:16], data[16:20]), data[(data[0] & 15) * 4:]
    src, dst = (ipaddress.ip_address(x) for x in ends)
    ports = struct.unpack_from("!HH", rest) if proto in (TCP, UDP) else (0, 0)
    if proto in ERRORS:
        ports = struct.unpack_from("!H", rest, 4) * 2
    a, b = (src, ports[0]), (dst, ports[1])
    return (proto, *(a + b if is_subscriber(src) else b + a))
