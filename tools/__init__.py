"""Made what ships with transtar and the pictures of its documentation; run from a checkout, and no part of the package."""
