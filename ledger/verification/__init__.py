"""The checks of a verification: one module for each kind of thing that can be damaged."""
