"""Writes every datagram that the Apache module sends as one line: collect.py SOCKET FILE. Prints "ready" when the socket is there."""
import os
import socket
import sys

inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
inbox.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("ready", flush=True)
with open(sys.argv[2], "wb", buffering=0) as out:
    while True:
        out.write(inbox.recv(1 << 17) + b"\n")
