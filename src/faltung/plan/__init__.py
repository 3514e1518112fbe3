"""The fast path: a graph lowered to steps, its values placed in one piece of memory."""
