"""Mock stars as a training set in memory, and the correction of their lines that real stars teach."""
