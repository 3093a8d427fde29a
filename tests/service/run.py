"""The service as `make install` leaves it, under a real systemd: it starts, tells that it is ready, writes records, takes
a reload, is started again where it hangs, and stops.

    run.py DDBWATCH FRAMES.pcap        (root, Linux, systemd)

systemd runs as the first process of namespaces of its own, over copies of /etc, /usr/local and /var; it sees only the
unit of ddbwatch and empty targets. Nothing of it is left behind.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
UNIT = "usr/lib/systemd/system/ddbwatch.service"
TARGETS = ["sysinit", "basic", "shutdown", "network", "multi-user"]
# Only how long a hang may last differs from the unit, and where the log goes: there is no journal.
DROP_IN = "[Service]\nStandardError=append:/run/ddbwatch.log\nWatchdogSec=10\nTimeoutAbortSec=2\nRestartSec=1\n"
PATIENCE_SECONDS = 60
# What `watch` keeps (linux/capability.h): to attach to an interface that appears later.
KEPT = {12: "net_admin", 38: "perfmon", 39: "bpf"}


def run(*argv):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, argv))}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


# Outside: what is installed, and the namespaces.


def hierarchies():
    """Where control groups are mounted, of which kind they are, and what they control."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            yield Path(place), kind, set(options.split(",")) - {"rw", "nosuid", "nodev", "noexec", "relatime"}


def outside(binary, frames):
    with tempfile.TemporaryDirectory(prefix="ddbservice-") as folder:
        folder = Path(folder)
        # Whoever the service becomes reads its unit's files.
        folder.chmod(0o755)
        installed = folder / "installed"
        # For a package: whoever builds one may keep what it makes to itself.
        before = os.umask(0o077)
        run("make", "-C", REPOSITORY, "install", f"DESTDIR={installed}", f"DDBWATCH={binary}")
        os.umask(before)
        hidden = [path for path in installed.rglob("*") if path.is_file() and not path.stat().st_mode & 0o004]
        if hidden:
            sys.exit(f"installed so that nobody can read it: {hidden}")
        units = folder / "units"
        units.mkdir()
        for target in TARGETS:
            (units / f"{target}.target").write_text(f"[Unit]\nDescription={target}\nDefaultDependencies=no\n")
        shutil.copy(installed / UNIT, units)
        (units / "multi-user.target.wants").mkdir()
        (units / "multi-user.target.wants" / "ddbwatch.service").symlink_to("../ddbwatch.service")
        (units / "ddbwatch.service.d").mkdir()
        (units / "ddbwatch.service.d" / "test.conf").write_text(DROP_IN)
        environment = {**os.environ, "SYSTEMD_UNIT_PATH": str(units), "container": "test",
                       "SYSTEMD_GENERATOR_PATH": "/nonexistent", "SYSTEMD_ENVIRONMENT_GENERATOR_PATH": "/nonexistent"}
        groups = []
        for place, _, controls in hierarchies():
            # A new group has no processors, and nobody can join it.
            if "cpuset" in controls:
                continue
            groups.append(place / folder.name)
            groups[-1].mkdir()
        said, log = folder / "said", folder / "systemd.log"
        try:
            first = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--cgroup", "--net", "--uts", "--ipc", "--kill-child", "--mount-proc",
                 sys.executable, __file__, "--inside", str(folder), str(frames), str(binary)],
                env=environment, stdin=subprocess.DEVNULL, stdout=log.open("w"), stderr=subprocess.STDOUT,
                preexec_fn=lambda: join(groups))
            end = time.monotonic() + 4 * PATIENCE_SECONDS
            while first.poll() is None and not said.exists() and time.monotonic() < end:
                time.sleep(0.1)
            first.kill()
            first.wait()
        finally:
            for group in groups:
                remove(group)
        text = said.read_text() if said.exists() else "nothing was told\n"
        print(text, end="")
        if not text.endswith("all holds\n"):
            sys.exit(log.read_text()[-3000:])


def join(groups):
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def remove(group):
    """Removes a control group with those below it, once the last process is gone."""
    for folder, _, _ in os.walk(group, topdown=False):
        for _ in range(100):
            try:
                os.rmdir(folder)
                break
            except OSError:
                time.sleep(0.05)


# Inside: the first process, and whoever asks it.


def inside(folder, frames, binary):
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/systemd").mkdir()
    # As they look from the group that is the root here.
    for place, kind, controls in list(hierarchies()):
        run("umount", place)
        run("mount", "-t", kind, "-o", ",".join(sorted(controls)) or "rw", kind, place)
    for place in ("etc", "var", "usr/local", "usr/lib", "usr/share"):
        upper, work = (Path("/run/copies") / place / part for part in ("upper", "work"))
        upper.mkdir(parents=True)
        work.mkdir()
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{place},upperdir={upper},workdir={work}", f"/{place}")
    shutil.rmtree("/etc/ddbwatch", ignore_errors=True)
    # As the README says, on a host with systemd; it is not running yet, so there is nobody to tell of the unit.
    Path("/run/systemd/system").mkdir()
    os.environ["SYSTEMD_OFFLINE"] = "1"
    run("make", "-C", REPOSITORY, "install", f"DDBWATCH={binary}")
    del os.environ["SYSTEMD_OFFLINE"]
    run("id", "ddbwatch")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
    for name in ("wire0", "wire1"):
        run("sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
        run("ip", "link", "set", name, "up")
    if os.fork() == 0:
        tell(folder, frames)
    os.execv("/lib/systemd/systemd",
             ["systemd", "--system", "--unit=multi-user.target", "--log-target=console", "--show-status=no"])


def tell(folder, frames):
    """Writes what holds, and ends."""
    lines = []
    try:
        for line in claims(frames):
            lines.append(line)
        lines.append("all holds")
    except BaseException as error:  # noqa: BLE001 (whatever it is has to be told)
        log = Path("/run/ddbwatch.log")
        lines.append(f"FAILED: {error!r}")
        lines.append(log.read_text()[-3000:] if log.exists() else "no log")
        lines.append(subprocess.run(["systemctl", "status", "ddbwatch", "--no-pager", "-l"], capture_output=True, text=True).stdout)
    part = folder / "said.part"
    part.write_text("\n".join(lines) + "\n")
    part.rename(folder / "said")
    os._exit(0)


def properties(*names):
    text = run("systemctl", "show", "ddbwatch", *(f"--property={name}" for name in names))
    return dict(line.split("=", 1) for line in text.splitlines())


def until(what, check):
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            found = check()
        except (OSError, SystemExit):
            # Not there yet.
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {PATIENCE_SECONDS} s")


def running():
    """The main process, where the service is up."""
    state = properties("ActiveState", "SubState", "MainPID")
    return (state["ActiveState"], state["SubState"]) == ("active", "running") and int(state["MainPID"])


def metric(name):
    with urllib.request.urlopen("http://127.0.0.1:9477/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def status_of(pid, key):
    return next(line.split(":")[1].strip() for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith(key + ":"))


def send(frames):
    """Plays a capture (microseconds, little endian) onto the wire."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("wire1", 0))
    data, at = frames.read_bytes(), 24
    assert data[:4] == b"\xd4\xc3\xb2\xa1", "not a capture of the usual form"
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        wire.send(data[at + 16:at + 16 + length])
        at += 16 + length


def claims(frames):
    pid = until("the service is up", running)
    assert properties("StatusText")["StatusText"].startswith("ebpf on "), properties("StatusText")
    yield f"ready: {properties('StatusText')['StatusText']}"

    user = run("id", "-u", "ddbwatch").strip()
    assert status_of(pid, "Uid").split() == 4 * [user]
    kept = {bit for bit in range(64) if int(status_of(pid, "CapEff"), 16) >> bit & 1}
    assert kept == set(KEPT), kept
    assert (status_of(pid, "NoNewPrivs"), status_of(pid, "Seccomp")) == ("1", "2")
    yield f"runs as ddbwatch with {', '.join(KEPT.values())}, without new privileges, with a filter of system calls"

    send(frames)
    records = Path("/var/log/ddbwatch/flows.jsonl")
    until("a record is written", lambda: records.stat().st_size > 0)
    assert b'"dynamodb' in records.read_bytes()
    yield "records: written to the folder of logs"

    before = metric("ddbwatch_config_last_reload_success_timestamp_seconds")
    run("systemctl", "reload", "ddbwatch")
    until("the reload is taken", lambda: metric("ddbwatch_config_last_reload_success_timestamp_seconds") > before)
    assert running() == pid
    yield "reload: taken by the same process"

    # Longer than the time within which it has to tell that it lives.
    time.sleep(13)
    assert running() == pid and properties("NRestarts")["NRestarts"] == "0"
    yield "alive: left alone for longer than the watchdog waits"

    os.kill(pid, signal.SIGSTOP)
    again = until("a service that hangs is started again", lambda: (running() or pid) != pid and running())
    assert properties("NRestarts")["NRestarts"] == "1"
    until("it watches again", lambda: metric("ddbwatch_build_info") == 1)
    yield "hanging: started again by the watchdog"

    run("systemctl", "stop", "ddbwatch")
    ended = properties("ActiveState", "Result", "ExecMainStatus", "ExecMainPID")
    assert ended == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0", "ExecMainPID": str(again)}, ended
    assert "Stopped." in Path("/run/ddbwatch.log").read_text()
    yield "stop: by itself, with exit status 0"


def main():
    if os.geteuid() != 0:
        sys.exit("systemd as the first process of namespaces needs root")
    if sys.argv[1] == "--inside":
        inside(*map(Path, sys.argv[2:5]))
    outside(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())


if __name__ == "__main__":
    main()
