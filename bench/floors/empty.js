// The floor of every command: a Node process that does nothing.
