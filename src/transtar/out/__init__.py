"""What stands at --out: writing without leaving anything half written, and without touching what transtar did not write.

`stages` has the temporary folders, `swap` puts a new folder into the place of an old one, `written` is the list by which files
are known again, `check` refuses before the work begins. `transtar.files` is what the rest of the package uses.
"""
