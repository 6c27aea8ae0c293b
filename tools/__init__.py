"""The tools of the project: the reference, and the checks of the locks and of the prose."""
