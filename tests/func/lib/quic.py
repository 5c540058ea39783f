"""The first packets of a QUIC client (RFC 9000, RFC 9001), written from the standards in plain Python."""
import hashlib
import hmac

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001, 5.2: version 1


def _sbox():
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= (p << 1) ^ (0x11b if p & 0x80 else 0)
        p &= 0xff
        for s in (1, 2, 4):
            q ^= q << s
        q &= 0xff
        q ^= 0x09 if q & 0x80 else 0
        x = q
        for s in (1, 2, 3, 4):
            x ^= (q << s | q >> (8 - s)) & 0xff
        box[p] = x ^ 0x63
        if p == 1:
            return box


SBOX = _sbox()


def _double(b):
    return (b << 1 ^ (0x1b if b & 0x80 else 0)) & 0xff


def _expand(key):
    """The eleven round keys of AES-128 (FIPS 197, 5.2)."""
    words, rcon = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        w = words[-1]
        if i % 4 == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = _double(rcon)
        words.append([a ^ b for a, b in zip(words[i - 4], w)])
    return [sum(words[i:i + 4], []) for i in range(0, 44, 4)]


def _aes(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n, key in enumerate(keys[1:], 1):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]  # SubBytes, ShiftRows
        if n < 10:
            mixed = []
            for c in (s[i:i + 4] for i in range(0, 16, 4)):
                both = c[0] ^ c[1] ^ c[2] ^ c[3]
                mixed += [c[i] ^ both ^ _double(c[i] ^ c[(i + 1) % 4]) for i in range(4)]
            s = mixed
        s = [a ^ b for a, b in zip(s, key)]
    return bytes(s)


def _times(x, y):
    """Multiplication in the field of GHASH (SP 800-38D, 6.3)."""
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xe1 << 120 if y & 1 else 0)
    return z


def _seal(key, iv, aad, text):
    """AES-128-GCM: the text enciphered, with its tag."""
    keys = _expand(key)
    h = int.from_bytes(_aes(keys, bytes(16)), "big")
    out = b"".join(bytes(a ^ b for a, b in zip(text[i:i + 16], _aes(
        keys, iv + (i // 16 + 2).to_bytes(4, "big")))) for i in range(0, len(text), 16))
    y = 0
    for data in (aad, out, (8 * len(aad)).to_bytes(8, "big") + (8 * len(out)).to_bytes(8, "big")):
        for i in range(0, len(data), 16):
            y = _times(y ^ int.from_bytes(data[i:i + 16].ljust(16, b"\0"), "big"), h)
    tag = y ^ int.from_bytes(_aes(keys, iv + b"\0\0\0\1"), "big")
    return out + tag.to_bytes(16, "big")


def _label(secret, label, n):
    info = n.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:n]


def initial(dcid, data, number=0, offset=0):
    """A datagram with one Initial packet of the client: these bytes of its ClientHello."""
    first = hmac.new(SALT, dcid, hashlib.sha256).digest()
    client = _label(first, b"client in", 32)
    key, iv, hp = _label(client, b"quic key", 16), _label(client, b"quic iv", 12), _label(client, b"quic hp", 16)
    frame = b"\x06" + (0x4000 | offset).to_bytes(2, "big") + (0x4000 | len(data)).to_bytes(2, "big") + data
    head = b"\xc3\0\0\0\1" + bytes([len(dcid)]) + dcid + b"\x04scid" + b"\0"
    text = frame.ljust(1200 - len(head) - 2 - 4 - 16, b"\0")
    head += (0x4000 | 4 + len(text) + 16).to_bytes(2, "big") + number.to_bytes(4, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = _seal(key, nonce, head, text)
    mask = _aes(_expand(hp), sealed[:16])
    return bytes([head[0] ^ mask[0] & 0x0f]) + head[1:-4] + bytes(
        a ^ b for a, b in zip(head[-4:], mask[1:5])) + sealed


def crypto(datagram, dcid):
    """The reverse, for a client's Initial packet of version 1: (offset, bytes) of each of its CRYPTO frames. The
    tag is not looked at."""
    client = _label(hmac.new(SALT, dcid, hashlib.sha256).digest(), b"client in", 32)
    key, iv, hp = _label(client, b"quic key", 16), _label(client, b"quic iv", 12), _label(client, b"quic hp", 16)
    at = 6 + datagram[5]
    at += 1 + datagram[at]
    token, at = _varint(datagram, at)
    length, at = _varint(datagram, at + token)
    mask = _aes(_expand(hp), datagram[at + 4:at + 20])
    size = ((datagram[0] ^ mask[0]) & 3) + 1
    number = int.from_bytes(bytes(a ^ b for a, b in zip(datagram[at:at + size], mask[1:])), "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    keys, sealed = _expand(key), datagram[at + size:at + length - 16]
    text = b"".join(bytes(a ^ b for a, b in zip(sealed[i:i + 16], _aes(
        keys, nonce + (i // 16 + 2).to_bytes(4, "big")))) for i in range(0, len(sealed), 16))
    found, at = [], 0
    while at < len(text):
        kind, at = text[at], at + 1
        if kind == 6:
            offset, at = _varint(text, at)
            n, at = _varint(text, at)
            found.append((offset, text[at:at + n]))
            at += n
        elif kind not in (0, 1):  # neither padding nor ping
            break
    return found


def _varint(data, at):
    n = 1 << (data[at] >> 6)
    return int.from_bytes(data[at:at + n], "big") & (1 << (8 * n - 2)) - 1, at + n
