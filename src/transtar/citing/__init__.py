"""What to cite: BibTeX of the paper, the software, and the surveys and label sources that a result used."""

from .bibliography import cite
from .used import Use, uses_of

__all__ = ["Use", "cite", "uses_of"]
