"""Linear: what it says of an issue. What lies directly in here computes, and touches nothing."""
