"""Mutants: small changes to models that hold, of which each must be found by the rule that guards what it changes."""
