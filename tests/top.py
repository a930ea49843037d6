#!/usr/bin/env python3
"""Ctrl-Z and `fg` in `cocli top`, in the picker of `cocli find`, and while the editor has the terminal: by a real shell, whose job it is.

usage: tests/top.py COCLI
"""
import fcntl, os, pty, re, select, struct, subprocess, sys, tempfile, termios, time

WITHIN_S = 30
cocli = os.path.abspath(sys.argv[1])


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, folder):
        self.said = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", PS1="ready> ", HOME=folder, XDG_CONFIG_HOME=folder,
                              COCLI_DATA_HOME=f"{folder}/home", EDITOR=f"{folder}/editor", ENV="")
            os.environ.pop("VISUAL", None)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
            os.chdir(folder)
            os.execvp("sh", ["sh", "-i", "-m"])

    def types(self, text):
        self.said = ""
        os.write(self.fd, text.encode())

    def says(self, *wanted):
        late = time.monotonic() + WITHIN_S
        while any(re.search(words, self.said) is None for words in wanted):
            left = late - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                sys.exit(f"expected {wanted}: {self.said!r}")
            self.said += os.read(self.fd, 65536).decode(errors="replace")

    def is_given_back(self):
        """A shell that reads lines, on a terminal as it was."""
        self.says(r"\x1b\[\?1049l", r"ready> $")
        self.types("stty -a; echo e''nd\n")
        self.says(r"[^-]icanon", r"[^-]echo\b", r"end\r\n")

    def ends(self):
        self.types("exit\n")
        os.waitpid(self.pid, 0)


with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/editor", "w") as editor:
        editor.write("#!/bin/sh\necho the editor\nread line\n")
    os.chmod(f"{folder}/editor", 0o755)
    env = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder}
    run = lambda *words: subprocess.run([cocli, *words], env=env, check=True, capture_output=True)
    run("init", f"{folder}/home", "--node", "pi1")
    run("--data", f"{folder}/home", "add", "company", "Acme")
    shell = Shell(folder)
    shell.says(r"ready> $")
    for verb, shows, end in [("top pool", "companies/acme", "q"), ("find", "type", "\x1b")]:
        shell.types(f"{cocli} {verb}\n")
        shell.says(r"\x1b\[\?1049h", shows)
        for _ in range(2):
            shell.types("\x1a")
            shell.is_given_back()
            shell.types("fg\n")
            shell.says(r"\x1b\[\?1049h", shows)
        shell.types(end)
        shell.is_given_back()
        print(f"{verb}: stopped and went on")
    # While the editor has the terminal, Ctrl-Z stops both, and `fg` lets both go on.
    shell.types(f"{cocli} top pool\n")
    shell.says("companies/acme")
    shell.types("e")
    shell.says("the editor")
    shell.types("\x1a")
    shell.says(r"ready> $")
    shell.types("fg\n")
    shell.says("top pool")
    shell.types("\n")
    shell.says(r"\x1b\[\?1049h", "nothing was")
    shell.types("q")
    shell.is_given_back()
    shell.ends()
    print("editor: stopped and went on")
