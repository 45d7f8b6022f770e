"""A sine, looked at, and a frequency response: for a notebook, or ``python notebook.py [host:port]``."""

import sys

import numpy as np

from pymodaq_plugins_pitayad import Board

print("on this network:", *Board.discover(), sep="\n  ")

with Board(sys.argv[1] if len(sys.argv) > 1 else "") as board:
    print(board)
    board.asg0.set(waveform="sin", frequency=1e4, amplitude=0.5, output_direct="out1", trigger_source="immediately")
    board.scope.set(input1="in1", decimation=64, trigger_source="ch1_positive_edge", threshold=0.0)

    trace = board.scope.grab()
    print(trace, "recorded with", trace.attributes)
    try:
        import matplotlib.pyplot as plt

        for channel in trace.labels:
            plt.plot(trace.time * 1e3, trace[channel], label=channel)
        plt.xlabel("time (ms)")
        plt.ylabel(f"signal ({trace.units})")
        plt.legend()
        plt.show()
    except ImportError:
        print("matplotlib would show it")

    # What comes back of a sine, from 1 kHz to 1 MHz: each trace is recorded after the frequency was set.
    shortest = board.scope.parameter("duration")["min"]
    for frequency in np.geomspace(1e3, 1e6, 13):
        taken = board.asg0.set(frequency=frequency)["frequency"]
        board.scope.set(duration=max(20 / taken, shortest))
        trace = board.scope.grab()
        print(f"{taken:12.1f} Hz  {np.sqrt(2) * np.std(trace['ch1']):.4f} V")
    board.off()
