"""What the recordings need on this machine, and how to get it."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from .book import Skipped

PROGRAMS = {"ip": "iproute2", "tcpdump": "tcpdump", "openssl": "openssl", "ethtool": "ethtool", "sysctl": "procps"}
OPTIONAL = {"node": "nodejs", "npm": "npm", "go": "golang-go", "cargo": "rustup.rs", "tshark": "tshark", "java": "openjdk-17-jdk-headless"}


class Tools:
    """Finds programs; builds the small clients and servers of `stacks/` when first asked for."""

    def __init__(self, build_dir: Path, here: Path):
        self.build_dir, self.stacks = build_dir, here / "stacks"
        self.requirements = here / "requirements.txt"
        self._built = {}

    def missing(self) -> list[str]:
        lacks = [f"{p} (apt-get install {a})" for p, a in PROGRAMS.items() if not shutil.which(p)]
        for line in self.requirements.read_text().splitlines():
            name, _, version = line.partition("==")
            if not name or name.startswith("#"):
                continue
            try:
                have = importlib.metadata.version(name.split("[")[0])
                if have != version:
                    print(f"note: {name} is {have}, the captures were made with {version}", file=sys.stderr)
            except importlib.metadata.PackageNotFoundError:
                lacks.append(f"Python package {name} (pip install -r {self.requirements})")
        return lacks

    def require(self):
        """Ends with a clear message where the recordings cannot be made."""
        problems = self.missing()
        if os.geteuid() != 0:
            problems.append("root, for network namespaces (run with sudo)")
        if problems:
            sys.exit("make.py needs:\n  " + "\n  ".join(problems))

    def report(self) -> int:
        problems = self.missing()
        for text in problems:
            print(f"missing  {text}")
        for program, source in OPTIONAL.items():
            print(f"{'there   ' if shutil.which(program) else 'missing '} {program} (optional, {source})")
        return 1 if problems else 0

    def node_modules(self) -> Path:
        """The folder with the JavaScript SDK and a newer Node, installed by npm."""
        return self._once("node", self._node)

    def go_client(self) -> Path:
        return self._once("go", self._go)

    def rustls_peer(self) -> Path:
        return self._once("rust", self._rust)

    def old_openssl(self, version) -> Path:
        """libssl of OpenSSL 0.9.8 or 1.0.2, as a Python package of that time brought it."""
        return self._once(f"openssl-{version}", lambda: self._old_openssl(version))

    def _once(self, name, build):
        if name not in self._built:
            self._built[name] = build()
        return self._built[name]

    def _run(self, *argv, **options):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=900, **options)
        if done.returncode:
            raise Skipped(f"{' '.join(map(str, argv))}: {done.stderr.strip()[-400:]}")

    def _need(self, program):
        if not shutil.which(program):
            raise Skipped(f"{program} is not installed ({OPTIONAL[program]})")

    def _node(self):
        self._need("npm")
        folder = self.build_dir / "node"
        folder.mkdir(parents=True, exist_ok=True)
        wanted = (self.stacks / "node" / "package.json").read_text()
        if not (folder / "package.json").exists() or (folder / "package.json").read_text() != wanted:
            (folder / "package.json").write_text(wanted)
            self._run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)
        return folder / "node_modules"

    def _old_openssl(self, version):
        package = {"0.9.8": "psycopg2==2.7", "1.0.2": "psycopg2==2.7.4"}[version]
        folder = self.build_dir / f"openssl-{version}"
        if not folder.exists():
            download = self.build_dir / f"openssl-{version}-download"
            self._run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "36",
                      "--platform", "manylinux1_x86_64", "--dest", download, package)
            with zipfile.ZipFile(next(download.glob("*.whl"))) as wheel:
                wheel.extractall(download)
            # It was part of the C library, and has to be that of this system.
            for bundled in (download / "psycopg2" / ".libs").glob("libresolv*"):
                bundled.unlink()
                bundled.symlink_to("/lib/x86_64-linux-gnu/libresolv.so.2")
            (download / "psycopg2" / ".libs").rename(folder)
            shutil.rmtree(download)
        return next(folder.glob("libssl*"))

    def _go(self):
        self._need("go")
        self.build_dir.mkdir(parents=True, exist_ok=True)
        target = self.build_dir / "go-client"
        self._run("go", "build", "-o", target, "main.go", cwd=self.stacks / "go",
                  env={**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0"})
        return target

    def _rust(self):
        self._need("cargo")
        target = Path(os.environ.get("CARGO_TARGET_DIR", self.build_dir / "rust"))
        self._run("cargo", "build", "--locked", cwd=self.stacks / "rust", env={**os.environ, "CARGO_TARGET_DIR": str(target)})
        return target / "debug" / "rustls-peer"
