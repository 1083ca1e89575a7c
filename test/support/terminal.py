"""Runs a program in a pseudo-terminal: python3 terminal.py COLUMNS ROWS PROGRAM ARGUMENT...

What appears on the terminal goes to standard output as it is. Lines on standard input steer it: `size COLUMNS ROWS`, `type HEX`.
Ends with the exit status of the program, 128 + n for signal n.
"""
import fcntl, os, pty, select, struct, sys, termios


def set_size(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


pid, terminal = pty.fork()
if pid == 0:
    # The size is set before the program looks at it.
    set_size(0, sys.argv[1], sys.argv[2])
    os.execvp(sys.argv[3], sys.argv[3:])

sources = [terminal, 0]
rest = b""
while terminal in sources:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:  # Linux says EIO when the program has closed its side
            data = b""
        if not data:
            sources.remove(source)
        elif source == terminal:
            os.write(1, data)
        else:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                word, *values = line.decode().split(" ")
                if word == "size":
                    set_size(terminal, *values)
                else:
                    os.write(terminal, bytes.fromhex(values[0]))
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
