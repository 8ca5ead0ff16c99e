"""The version of transtar, for whatever records it.

The one place where it is set: the build reads it here, and tests compare the files that must repeat it.
"""

__version__ = "0.1.0"
