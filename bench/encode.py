"""The Python side of encode.ts: PyMoDAQ's own serialiser on the same object.

Says `ready` when it is. Then answers each line of standard input with one: `bytes 1` with the hexadecimal digits of the
serialised object, `ready N` with the seconds that N serialisations of one finished object take (float64 volts are there
already), `counts N` with those that N times scaling the int16 counts, making the object and serialising it take.
"""
import sys
import time

import numpy as np
from pymodaq.utils.data import Axis, DataRaw, DataToExport

try:
    from pymodaq.utils.tcp_ip.serializer import Serializer

    def serialise(obj):
        return Serializer(obj).to_bytes()
except ImportError:
    from pymodaq_utils.serialize.factory import SerializableFactory

    def serialise(obj):
        return SerializableFactory().get_apply_serializer(obj, append_length=True)

# The same numbers stand in encode.ts, which compares the bytes.
POINTS = 16384
TIMESTAMP = 1700000000.25
K = np.arange(POINTS)
COUNTS = [((K * 37 + 11) % 16384 - 8192).astype('<i2'), ((K * 91 + 5) % 16384 - 8192).astype('<i2')]
OFFSETS = [0.001, -0.002]
EXTRA = dict(
    board='rp-f0a1b2', module='scope', inputs='in1,in2',
    settings='{"input1": "in1", "input2": "in2", "decimation": 64, "trigger_source": "ch1_positive_edge"}',
    number=7, decimation=64, clipped=False, lost=0, overwritten=False, calibrated=True, clock_synchronised=True,
    level=0.1)


def frame():
    volts = [counts.astype('<f8') * (1 / 8192) + offset for counts, offset in zip(COUNTS, OFFSETS, strict=True)]
    time_axis = Axis('Time', 's', data=None, scaling=8e-9, offset=-1e-4, size=POINTS, index=0)
    raw = DataRaw('Scope', units='V', data=volts, labels=['ch1', 'ch2'], axes=[time_axis], **EXTRA)
    whole = DataToExport('pitayad', data=[raw])
    raw.timestamp = whole.timestamp = TIMESTAMP
    return whole


finished = frame()
print('ready', flush=True)
for line in sys.stdin:
    what, number = line.split()
    if what == 'bytes':
        print(serialise(finished).hex(), flush=True)
        continue
    begun = time.perf_counter()
    for _ in range(int(number)):
        serialise(finished if what == 'ready' else frame())
    print(time.perf_counter() - begun, flush=True)
