"""A clean Debian machine with a systemd of its own, and somebody who types at its root prompt.

A machine is a folder that systemd-nspawn boots: a process tree, users and an address of its own,
the kernel borrowed. Needs root, `debootstrap` and `systemd-container`; nothing here leaves them
running.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pexpect

BRIDGE, NETWORK = "pb-rehearsal", "198.18.77"
"""Addresses for benchmarks and tests of machines (RFC 2544): routed nowhere."""
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,ca-certificates,curl,procps,iproute2,iputils-ping"
)
PROMPT = "rehearsal-prompt:"
STEP_SECONDS = 600.0


class CommandFailed(Exception):
    """A line that was typed ended with an exit code other than 0, or not at all."""


@dataclass(kw_only=True)
class Network:
    """A bridge of this host's, with a way out for packages. Gone at the end of the block."""

    bridge: str = BRIDGE
    _was_forwarding: str = field(default="0", init=False)

    def __enter__(self) -> Self:
        self._was_forwarding = _forwarding().read_text()
        _forwarding().write_text("1")
        _run("ip", "link", "add", self.bridge, "type", "bridge")
        _run("ip", "address", "add", f"{NETWORK}.1/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")
        _run("iptables", "-t", "nat", "-A", *self._rule())
        return self

    def __exit__(self, *_: object) -> None:
        _run("iptables", "-t", "nat", "-D", *self._rule())
        _run("ip", "link", "del", self.bridge)
        _forwarding().write_text(self._was_forwarding)

    def _rule(self) -> tuple[str, ...]:
        source = f"{NETWORK}.0/24"
        return ("POSTROUTING", "-s", source, "!", "-d", source, "-j", "MASQUERADE")


class Machine:
    """One machine, booted from a copy of `clean`. Use it as a context manager."""

    def __init__(self, name: str, number: int, *, clean: Path, folder: Path) -> None:
        self.name, self.address = name, f"{NETWORK}.{number}"
        self.root = folder / name
        self._clean = clean
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._shells: list[Shell] = []

    def __enter__(self) -> Self:
        if self.root.exists():
            shutil.rmtree(self.root)
        _run("cp", "-a", "--reflink=auto", str(self._clean), str(self.root))
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        (self.root / "etc/systemd/network/10-host0.network").write_text(
            f"[Match]\nName=host0\n[Network]\nAddress={self.address}/24\nGateway={NETWORK}.1\n"
        )
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()

    @property
    def inside(self) -> Path:
        """Its file system as its own processes see it, temporary folders included."""
        return Path(f"/proc/{self._leader}/root")

    def share(self, source: Path, target: str) -> None:
        """Copy a file or folder of this host into the machine."""
        there = self.inside / target.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        _run("cp", "-a", str(source), str(there))

    def boot(self) -> None:
        console = (self.root.parent / f"{self.name}.console").open("ab")
        self._process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
             f"--directory={self.root}", f"--machine={self.name}", f"--hostname={self.name}",
             f"--network-bridge={BRIDGE}", "--resolv-conf=copy-host", "--console=pipe"],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not self._is_up():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise CommandFailed(f"{self.name} does not come up; see its console")
            time.sleep(0.5)

    def power_off(self) -> None:
        """Let systemd end what runs, then be gone; after three minutes all the same."""
        if self._process is None:
            return
        self._close_shells()
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run([*self._enter(), "systemctl", "poweroff"], timeout=20, check=False)
            self._process.wait(180)
        self.destroy()

    def destroy(self) -> None:
        """Be gone from one moment to the next, as by fire."""
        self._close_shells()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGKILL)
            self._process.wait(30)
            while Path(f"/sys/class/net/vb-{self.name}").exists():
                time.sleep(0.2)
        self._process, self._leader = None, 0

    def shell(self, transcript: Path) -> "Shell":
        """Return a root's login shell at a terminal of its own."""
        opened = Shell(self._enter(), transcript)
        self._shells.append(opened)
        return opened

    def _close_shells(self) -> None:
        # Processes of ours in there: the machine is not gone before they are.
        while self._shells:
            self._shells.pop().close()

    def _enter(self) -> list[str]:
        clean = ["env", "-i", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8", f"PATH={os.defpath}:/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin"]  # fmt: skip  # noqa: E501
        return ["nsenter", f"--target={self._leader}", "--all", *clean]

    def _is_up(self) -> bool:
        if not self._leader:
            assert self._process
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            pids = children.read_text().split() if children.exists() else []
            self._leader = next((int(pid) for pid in pids if _name(pid) == "systemd"), 0)
        if not self._leader:
            return False
        asked = [*self._enter(), "systemctl", "is-active", "--quiet", "multi-user.target"]
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0


class Shell:
    """Types lines as a person pastes them, one after the other, and reads what comes back."""

    def __init__(self, enter: list[str], transcript: Path) -> None:
        self._log = transcript.open("a")
        program, *arguments = [*enter, "bash", "--noprofile", "--norc", "--noediting"]
        self._child = pexpect.spawn(
            program, arguments, encoding="utf-8", timeout=STEP_SECONDS, dimensions=(50, 200)
        )
        self._child.logfile_read = self._log
        self._child.setecho(False)
        self._child.sendline(f"set +H; PS1='{PROMPT}$?:' PS2=''")
        self._child.expect(rf"{PROMPT}(\d+):")
        self.run("cd")

    def run(
        self, line: str, *, answers: dict[str, str] | None = None, allow: tuple[int, ...] = (0,)
    ) -> str:
        """Type one command and return what it printed; `answers` says what to type at a question.

        Raises CommandFailed for an exit code that is not allowed.
        """
        questions = list((answers or {}).items())
        self._child.sendline(line)
        said = ""
        while True:
            found = self._child.expect([rf"{PROMPT}(\d+):", *(each for each, _ in questions)])
            said += self._child.before
            if found == 0:
                break
            self._child.sendline(questions[found - 1][1])
        code = int(self._child.match.group(1))
        if code not in allow:
            raise CommandFailed(f"exit code {code}: {line}\n{said[-3000:]}")
        return said.replace("\r", "")

    def close(self) -> None:
        # An interactive bash that is left behind ignores SIGTERM: the machine would wait for it.
        with contextlib.suppress(pexpect.ExceptionPexpect, OSError):
            self._child.sendline("exit")
            self._child.expect(pexpect.EOF, timeout=5)
        self._child.close(force=True)
        self._log.close()


def make_clean_machine(folder: Path, *, trust: Path | None) -> Path:
    """Return a folder with a Debian 12 as it is installed, and nothing else; made once.

    `trust` is a certificate that the network of this host wants known: without it nothing can be
    fetched where TLS is inspected.
    """
    clean = folder / "clean"
    if clean.exists():
        return clean
    half = folder / "clean.part"
    _run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(half))
    (half / "etc/systemd/network").mkdir(parents=True, exist_ok=True)
    if trust:
        shutil.copy(trust, half / "usr/local/share/ca-certificates/this-network.crt")
        (half / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")
        _run("chroot", str(half), "update-ca-certificates")
    _run("chroot", str(half), "systemctl", "enable", "systemd-networkd")
    half.rename(clean)
    return clean


def _forwarding() -> Path:
    return Path("/proc/sys/net/ipv4/ip_forward")


def _name(pid: str) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
