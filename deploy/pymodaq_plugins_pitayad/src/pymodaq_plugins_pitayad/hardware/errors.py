"""What can go wrong between a client and a board, told apart by whose fault it is."""


class PitayadError(Exception):
    """Root of all errors of this package. The text is a sentence for the user."""


class Refused(PitayadError):
    """The board said no, and changed nothing; the text is the board's own sentence."""


class Lost(PitayadError, ConnectionError):
    """There is no connection to the board, or it ended before the answer came."""


class Late(PitayadError, TimeoutError):
    """The board did not answer in time; whether it did what was asked is not known."""


class NotProtocol(PitayadError):
    """The peer sent bytes that are not PyMoDAQ's protocol: probably not a board."""


class NotFound(PitayadError):
    """No board, or more than one, answers to that name."""
