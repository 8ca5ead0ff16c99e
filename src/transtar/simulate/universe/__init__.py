"""A mock universe on disk: who is observed by which survey, and the files of all of them, which can be taken up again."""
