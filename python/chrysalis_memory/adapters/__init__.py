"""What lets other frameworks keep their state here. Each module needs the framework that it is for, and no more."""
