"""A client that knows nothing but PyMoDAQ 4.4: its socket and its serialiser. Reads commands, one JSON a line, and says
what came back, one JSON a line.

    python client.py PORT
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


def answer(link: Socket) -> dict:
    decoder = DeSerializer(link)
    word = decoder.string_deserialization()
    if word == "Done":
        (trace,) = decoder.dte_deserialization()
        return {
            "word": word,
            "labels": trace.labels,
            "units": trace.units,
            # As the converters had them; what is no whole number of them would show in `exact`.
            "counts": [hashlib.sha256(np.rint(one * 8192).astype("<i2").tobytes()).hexdigest() for one in trace.data],
            "exact": all(np.array_equal(one * 8192, np.rint(one * 8192)) for one in trace.data),
            "points": [len(one) for one in trace.data],
        }
    return {"word": word, "text": decoder.string_deserialization()}


def main() -> None:
    link = Socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=120))
    link.check_sended_with_serializer("GRABBER")
    for line in sys.stdin:
        link.check_sended_with_serializer(line.strip())
        print(json.dumps(answer(link)), flush=True)


main()
