"""Digital twins: what they are, how they are run and recorded, and two that ship."""
