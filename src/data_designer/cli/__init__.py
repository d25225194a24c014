"""The command line: parse arguments, call the interface, print."""
