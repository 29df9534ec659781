"""A small Ethernet switch in user space: the cable between the client hosts and the server.

One TAP device per host. Each client's port delays frames by half its round-trip time in each direction,
with jitter that never reorders, and drops the configured share of frames. Hosts that share an address have one
MAC, and get the frames for their source ports: to the server they are one machine. Reads its hosts as JSON from
the first argument, prints "ready" when every TAP exists, then forwards until it is killed.
"""
import errno
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def open_tap(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def tcp_port(frame: bytes) -> int | None:
    """Destination port of an IPv4 TCP frame."""
    if frame[12:14] != b"\x08\x00" or len(frame) < 38 or frame[23] != 6:
        return None
    at = 14 + (frame[14] & 15) * 4
    return struct.unpack_from(">H", frame, at + 2)[0] if len(frame) >= at + 4 else None


def main() -> None:
    hosts = json.load(open(sys.argv[1]))
    rnd = random.Random(77)
    ports = {}
    poll = select.epoll()
    by_mac = {}
    for h in hosts:
        fd = open_tap(h["tap"])
        ports[fd] = h
        by_mac.setdefault(bytes.fromhex(h["mac"].replace(":", "")), []).append(fd)
        poll.register(fd, select.EPOLLIN)
    print("ready", flush=True)

    queue: list[tuple[float, int, int, bytes]] = []
    free_at: dict[tuple[int, int], float] = {}
    count = 0
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else -1
        for fd, event in poll.poll(wait):
            if not event & select.EPOLLIN:
                continue
            for _ in range(64):
                try:
                    frame = os.read(fd, 65536)
                except OSError:
                    break
                dst = frame[:6]
                outs = by_mac[dst] if dst in by_mac else [o for o in ports if o != fd] if dst[0] & 1 else []
                if dst in by_mac and len(outs) > 1 and (port := tcp_port(frame)) is not None:
                    outs = [o for o in outs if ports[o]["ports"][0] <= port <= ports[o]["ports"][1]]
                for out in outs:
                    slow = ports[fd] if ports[fd]["rtt_ms"] else ports[out]
                    if slow["loss"] and rnd.random() < slow["loss"]:
                        continue
                    at = time.monotonic() + (slow["rtt_ms"] / 2 + rnd.uniform(0, slow["jitter_ms"])) / 1000
                    at = max(at, free_at.get((fd, out), 0.0))
                    free_at[fd, out] = at
                    count += 1
                    heapq.heappush(queue, (at, count, out, frame))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, _, out, frame = heapq.heappop(queue)
            try:
                os.write(out, frame)
            except OSError as e:
                if e.errno not in (errno.EAGAIN, errno.EIO, errno.ENOBUFS):
                    raise


main()
