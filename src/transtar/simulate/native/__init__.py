"""Writers of mock surveys in the surveys' own layouts: one file for each survey.

`transtar.surveys` reads them back with the readers for genuine files. Every file says in its header that it is
simulated, and catalogs that a pipeline would make say 'simulated pipeline'.
"""
