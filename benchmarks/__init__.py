"""Speed against named peers, each a ratio measured in one run."""
