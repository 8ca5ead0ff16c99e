"""How far labels can be trusted: what tells strange stars, and the errors of each."""
