"""The eBPF tests under another kernel than this host's: a virtual machine in software emulation, which needs no privilege
of the processor, boots the kernel of a Debian package and runs a test program of this host in it.

    run.py PROGRAM [--package NAME | --folder DIR] [--seconds N] [--memory MIB] [-- ARGUMENT...]

PROGRAM is the compiled test program (`cargo test --no-run` names it). The host's files are there, but nothing that is
written is kept; the machine has no network card. Needs qemu-system-x86, busybox-static, kmod, cpio and dpkg-deb; the
package is fetched by apt and not installed.
"""

import argparse
import lzma
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

TOOLS = ("qemu-system-x86_64", "busybox", "cpio", "modprobe", "depmod", "dpkg-deb", "apt-get")
# What the first file system of the machine needs to reach the host's.
DISK_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
NO_KERNEL = 77
BOOT_SECONDS = 300
END = "the guest ended with "

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /order); do /bin/busybox insmod /modules/$module; done
/bin/busybox mkdir -p /lower /upper /new
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=1048576,cache=loose host /lower
/bin/busybox mount -t tmpfs tmpfs /upper
/bin/busybox mkdir /upper/files /upper/work
/bin/busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new
for folder in proc sys dev tmp run; do /bin/busybox mkdir -p /new/$folder; done
/bin/busybox mount -t proc proc /new/proc
/bin/busybox mount -t sysfs sysfs /new/sys
/bin/busybox mount -t devtmpfs dev /new/dev
/bin/busybox mount -t tmpfs tmpfs /new/run
/bin/busybox mkdir -p /new/dev/pts
/bin/busybox mount -t devpts devpts /new/dev/pts
/bin/busybox mount -t bpf bpf /new/sys/fs/bpf
/bin/busybox mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
/bin/busybox cp -r /work /new/run/machine
/bin/busybox chroot /new /bin/sh /run/machine/inside.sh
echo o > /proc/sysrq-trigger
/bin/busybox sleep 60
"""

# Loading by name works as on a host that runs this kernel.
INSIDE = """export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mkdir -p /lib/modules
ln -sfn {modules} /lib/modules/$(uname -r)
ip link set lo up
modprobe -a veth tun sch_ingress cls_bpf
echo "Linux $(uname -r)"
cd {folder}
timeout {seconds} {command}
echo "{end}$?"
"""


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def newest_package():
    """The package that this release of Debian takes for its own kernel."""
    shown = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], stdout=subprocess.PIPE, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", shown.stdout)
    if not found:
        print("apt knows no kernel of Debian: give a package with --package", file=sys.stderr)
        sys.exit(NO_KERNEL)
    return found[1]


def fetch(package, place):
    print(f"fetching {package}", flush=True)
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], check=True, cwd=place)
    (archive,) = place.glob("*.deb")
    run("dpkg-deb", "-x", str(archive), str(place / "kernel"))
    return place / "kernel"


def only(paths, what):
    found = sorted(paths)
    if len(found) != 1:
        sys.exit(f"{what}: one is needed, there are {len(found)}")
    return found[0]


def modules_of(kernel, release):
    """Files of the modules that the disk needs, each after those it needs itself."""
    files = []
    for module in DISK_MODULES:
        shown = run("modprobe", "-d", str(kernel), "-S", release, "--show-depends", module)
        for line in shown.splitlines():
            kind, _, file = line.partition(" ")
            if kind == "insmod" and file.strip() not in files:
                files.append(file.strip())
    return files


def first_files(place, kernel, release, inside):
    """The file system that the kernel begins with."""
    root = place / "root"
    for folder in ("bin", "modules", "proc", "sys", "dev", "work"):
        (root / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    names = []
    for file in modules_of(kernel, release):
        names.append(os.path.basename(file).removesuffix(".xz"))
        content = Path(file).read_bytes()
        (root / "modules" / names[-1]).write_bytes(lzma.decompress(content) if file.endswith(".xz") else content)
    (root / "order").write_text("\n".join(names))
    (root / "work/inside.sh").write_text(inside)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    image = place / "first.cpio"
    with open(image, "wb") as stream:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, input=names.encode(), stdout=stream, check=True)
    return image


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--package", help="Debian package of a kernel [default: the one of this release]")
    parser.add_argument("--folder", type=Path, help="an unpacked package, in place of fetching one")
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--memory", type=int, default=3000)
    own, arguments = sys.argv[1:], []
    if "--" in own:
        end = own.index("--")
        own, arguments = own[:end], own[end + 1 :]
    options = parser.parse_args(own)
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; install qemu-system-x86 busybox-static kmod cpio dpkg apt")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        place = Path(name)
        kernel = (options.folder or fetch(options.package or newest_package(), place)).resolve()
        image = only((kernel / "boot").glob("vmlinuz-*"), "kernels in the package")
        release = image.name.removeprefix("vmlinuz-")
        if not (kernel / "lib").exists():
            # From Debian 13 on.
            (kernel / "lib").symlink_to("usr/lib")
        # A program that is built again while it runs is another one.
        program = place / "program"
        shutil.copy(options.program, program)
        run("depmod", "-b", str(kernel), release)
        inside = INSIDE.format(
            modules=shlex.quote(str(kernel / "lib/modules" / release)),
            folder=shlex.quote(os.getcwd()),
            seconds=options.seconds,
            command=shlex.join([str(program), *arguments]),
            end=END,
        )
        first = first_files(place, kernel, release, inside)
        machine = [
            "qemu-system-x86_64",
            *("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(options.memory)),
            *("-nographic", "-no-reboot", "-nic", "none", "-kernel", str(image), "-initrd", str(first)),
            *("-append", "console=ttyS0 loglevel=3 panic=-1 mitigations=off"),
            *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        ]
        # Booting takes a part of a minute.
        plumbing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True, "errors": "replace"}
        with subprocess.Popen(machine, **plumbing) as process:
            code = None
            # One that hangs, hangs before the program is stopped.
            watchdog = threading.Timer(options.seconds + BOOT_SECONDS, process.kill)
            watchdog.start()
            try:
                for line in process.stdout:
                    print(line, end="", flush=True)
                    if END in line:
                        code = int(line.split(END)[1])
            finally:
                watchdog.cancel()
                process.terminate()
        if code is None:
            sys.exit("the machine ended before the program did")
        sys.exit(code)


if __name__ == "__main__":
    main()
