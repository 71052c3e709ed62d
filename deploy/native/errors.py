"""What a user sees when a part of the one-machine stack cannot run."""


class NativeError(Exception):
    """A process, a file or the network is not as needed.

    The message names the thing, the reason and the way out, ready to be shown as it is.
    """
