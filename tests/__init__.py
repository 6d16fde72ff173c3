"""The proof that planner does what it says, on both databases and on recorded feeds."""
