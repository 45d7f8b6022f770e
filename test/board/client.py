"""A client that knows nothing but PyMoDAQ 4.4: its socket and its serialiser. Reads commands, one JSON a line, and says
what came back, one JSON a line. SCALE: volts at which a channel is at its end.

    python client.py PORT SCALE SCALE
"""

import hashlib
import json
import os
import socket
import sys
import tempfile

os.environ["HOME"] = tempfile.mkdtemp(prefix="pitayad-board-")

import numpy as np
from pymodaq.utils.tcp_ip.mysocket import Socket
from pymodaq.utils.tcp_ip.serializer import DeSerializer

SCALES = [float(word) for word in sys.argv[2:]]


def answer(link: Socket) -> dict:
    decoder = DeSerializer(link)
    word = decoder.string_deserialization()
    if word == "Done":
        (trace,) = decoder.dte_deserialization()
        exact = [one * 8192 / scale for one, scale in zip(trace.data, SCALES, strict=True)]
        counts = [np.rint(one) for one in exact]
        return {
            "word": word,
            "units": trace.units,
            "points": [len(one) for one in trace.data],
            # As the converters had them, and how far from that at most.
            "counts": [hashlib.sha256(one.astype("<i2").tobytes()).hexdigest() for one in counts],
            "deviation": max(float(np.abs(a - b).max()) for a, b in zip(exact, counts, strict=True)),
        }
    return {"word": word, "text": decoder.string_deserialization()}


def main() -> None:
    link = Socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=120))
    link.check_sended_with_serializer("GRABBER")
    for line in sys.stdin:
        link.check_sended_with_serializer(line.strip())
        print(json.dumps(answer(link)), flush=True)


main()
