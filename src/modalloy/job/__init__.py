"""What the user wrote: its options, its rules, and every fault in words."""
