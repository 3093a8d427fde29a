"""The lab: real clients through a gateway that runs ddbwatch; what Prometheus, the records and an analysis of the
same packets say must be what was made.

    run.py DDBWATCH [BACKEND ...]        (root, Linux; back-ends: ebpf afpacket pcap)

Ends by itself; the namespaces have no way out and are removed at the end.
"""

import json
import os
import shutil
import signal
import sys
import time
import urllib.parse
from collections import Counter
from pathlib import Path

import traffic
from traffic import Flow
from world import CLIENTS, HERE, LabError, World, run

INTERFACES = ["dx0", "wan0", "tunnel0", "vpc0", "up0", "mirror0"]
PLACE_OF = {address: place for place, address in CLIENTS.items()}
SCRAPE_SECONDS = 1
PANELS = HERE.parent / "dashboards" / "scraped.py"
# Panels of the dashboards that show what must not happen here.
MAY_BE_EMPTY = ["Losses by stage", "Losses by reason", "Folded series", "Folded log messages"]


def of_record(record):
    """A record as the flow it tells of."""
    rules = sorted(v["rule"] for v in record["violations"] if v["severity"] != "info")
    is_post_quantum = "MLKEM" in record.get("tls.curve", "")
    return Flow(PLACE_OF.get(record["client.address"], record["client.address"]), record["handshake.outcome"],
                record.get("tls.protocol.version", ""), record.get("tls.cipher", ""), record["path.access"],
                record["path.entry"], tuple(rules), is_post_quantum)


# What only the host can know that a flow is watched on: keys of live records, which no analysis has.
LIVE_ONLY = ("process.pid", "process.name", "container.id", "systemd.unit", "flow.origin")


def origins(records, analyzed):
    """Flows of others that pass the gateway say so; what is mirrored to it does not, nor does what was recorded."""
    fine = not any(key in record for record in analyzed for key in LIVE_ONLY)
    if not fine:
        print("  origin: an analysis knows what only the host can know")
    for record in records:
        place = PLACE_OF.get(record["client.address"])
        expected = None if place == "other" else "forwarded"
        # On a busy machine there is no time to make sure that no socket here has the address that NAT gives.
        is_left_open = "flow.translated" in record and "flow.origin" not in record
        if record.get("flow.origin") != expected and not is_left_open or any(key in record for key in LIVE_ONLY[:-1]):
            print(f"  origin: {place}: {[record.get(key) for key in LIVE_ONLY]}")
            fine = False
    if fine:
        print(f"  origin: {sum('flow.origin' in r for r in records)} flows forwarded, mirrored ones say nothing")
    return fine


def flows_of(lines):
    return Counter(of_record(json.loads(line)) for line in lines if line.strip())


def compare(what, expected, found):
    """Says every difference; true where there is none."""
    if expected == found:
        print(f"  {what}: {sum(found.values())} as made")
        return True
    print(f"  {what}: differs")
    for entry in sorted((expected - found).elements()):
        print(f"    missing   {entry}")
    for entry in sorted((found - expected).elements()):
        print(f"    too much  {entry}")
    return False


class Questions:
    """Asks the Prometheus in the gateway's namespace."""

    def __init__(self, world):
        self.world = world

    def ask(self, query):
        url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
        answer = json.loads(self.world.do("gateway", "curl", "-sS", "-m", "10", url).stdout)
        if answer["status"] != "success":
            raise LabError(f"Prometheus refuses {query}: {answer}")
        return answer["data"]["result"]

    def counts(self, query, labels):
        """Values by some of their labels; those that are zero left out."""
        counts = Counter()
        for series in self.ask(query):
            value = int(float(series["value"][1]))
            if value:
                counts[tuple(series["metric"].get(label, "") for label in labels)] += value
        return counts


def wait_for(what, seconds, check):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(0.2)
    raise LabError(f"{what} did not happen in {seconds} s")


def metrics_by(flows, outcome=None, key=lambda flow: (), every_rule=False):
    counts = Counter()
    for flow, number in flows.items():
        if outcome is None or flow.outcome in outcome:
            for entry in [key(flow, rule) for rule in flow.rules] if every_rule else [key(flow)]:
                counts[entry] += number
    return counts


def wait_for_scrape(world, flows):
    """Prometheus knows all flows that were made, and whatever else is counted with them."""
    questions, total = Questions(world), sum(flows.values())
    wait_for("the scrape of every flow", 30,
             lambda: sum(questions.counts("sum(ddbwatch_flows_total)", ()).values()) == total)
    time.sleep(2 * SCRAPE_SECONDS)


def ask_prometheus(world, flows):
    """What was made, asked of Prometheus by version, suite, path, rule and outcome."""
    questions = Questions(world)
    wait_for_scrape(world, flows)
    fine = compare("Prometheus, flows by outcome and path", metrics_by(flows, key=lambda f: (f.outcome, f.access, f.entry)),
                   questions.counts("sum by (outcome, access, entry) (ddbwatch_flows_total)", ("outcome", "access", "entry")))
    completed = metrics_by(flows, {"completed"}, lambda f: (f.version, f.cipher, f.access))
    fine &= compare("Prometheus, handshakes by version, suite and path", completed, questions.counts(
        'sum by (version, cipher, access) (ddbwatch_handshakes_total)', ("version", "cipher", "access")))
    fine &= compare("Prometheus, violations by rule and path", metrics_by(
        flows, key=lambda f, rule: (rule, f.access), every_rule=True), questions.counts(
        'sum by (rule, access) (ddbwatch_violations_total{severity!="info"})', ("rule", "access")))
    refused = metrics_by(flows, {"refused_by_server"}, lambda f: ("refused",))
    fine &= compare("Prometheus, refused", refused, Counter({
        ("refused",): sum(questions.counts("sum(ddbwatch_handshakes_refused_total)", ()).values())}))
    hybrid = Counter({kind: number for kind, number in metrics_by(
        flows, {"completed"}, lambda f: ("post_quantum" if f.is_post_quantum else "other",)).items() if kind != ("other",)})
    fine &= compare("Prometheus, post-quantum key exchanges", hybrid, questions.counts(
        'sum by (kind) (ddbwatch_key_exchange_total{kind="post_quantum"})', ("kind",)))
    fine &= add_up(questions)
    return fine


def add_up(questions):
    """The promises of the metrics: seen = skipped + parsed; opened = records + evictions + open."""
    stages = questions.counts("sum by (interface, stage) (ddbwatch_packets_total)", ("interface", "stage"))
    fine = True
    for interface in {interface for interface, _ in stages}:
        seen, skipped, parsed = (stages[interface, stage] for stage in ("seen", "skipped", "parsed"))
        if seen != skipped + parsed:
            print(f"  accounting: {interface}: {seen} seen, {skipped} skipped, {parsed} parsed")
            fine = False
    lost = questions.counts("sum by (stage, reason) (ddbwatch_dropped_total)", ("stage", "reason"))
    if lost:
        print(f"  accounting: lost {dict(lost)}")
        fine = False
    if fine:
        print(f"  accounting: {sum(n for (_, stage), n in stages.items() if stage == 'seen')} packets add up, none lost")
    return fine


def keep_making(world, servers, modules, flows):
    """Traffic for what looks at two minutes, minute by minute, once there is data of everything; since and until when."""
    traffic.damaged(world)
    flows += traffic.make(world, servers, modules)
    wait_for_scrape(world, flows)
    since = time.time()
    until = (since // 60 + 2) * 60 + 3
    while time.time() < until:
        traffic.damaged(world)
        flows += traffic.make(world, servers, modules)
    return since, until


def ask_for_panels(world, since, until):
    """Every query of every panel of the dashboards has data."""
    done = world.do("gateway", sys.executable, PANELS, "http://127.0.0.1:9090", "--scrape", SCRAPE_SECONDS, "--since", since,
                    "--until", until, "--may-be-empty", *MAY_BE_EMPTY, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"  panels: {line}")
    return done.returncode == 0


def one_backend(binary, backend, modules):
    """One run of the whole lab; true where everything was as made."""
    print(f"back-end {backend}")
    with World() as world:
        servers = traffic.Servers(world, modules)
        config = world.folder / "ddbwatch.toml"
        records = world.folder / "flows.jsonl"
        # Whoever the daemon becomes has to get there.
        os.chmod(world.folder, 0o755)
        out = world.folder / "records"
        out.mkdir()
        os.chmod(out, 0o777)
        records = out / "flows.jsonl"
        config.write_text((HERE / "lab.toml").read_text() + f'\n[output]\nrecords = "{records}"\n')
        capture = world.folder / "lab.pcapng"
        chosen = [part for name in INTERFACES for part in ("-i", name)]
        recorder = world.start("gateway", "dumpcap", *chosen, "-q", "-w", capture, log="dumpcap.log")
        daemon = world.start("gateway", binary, "watch", *chosen, "--backend", backend, "--config", config, log="watch.log")
        prometheus = world.folder / "prometheus.yml"
        prometheus.write_text(f"global: {{scrape_interval: {SCRAPE_SECONDS}s}}\nscrape_configs:\n"
                              "- {job_name: ddbwatch, static_configs: [{targets: ['127.0.0.1:9477']}]}\n")
        world.start("gateway", "prometheus", f"--config.file={prometheus}", f"--storage.tsdb.path={world.folder}/tsdb",
                    "--web.listen-address=127.0.0.1:9090", log="prometheus.log")

        def ready():
            if daemon.poll() is not None:
                raise LabError(f"ddbwatch ended: {daemon.log.read_text()[-1500:]}")
            return world.do("gateway", "curl", "-sf", "-m", "2", "http://127.0.0.1:9477/readyz", check=False).returncode == 0

        wait_for("readiness", 60, ready)
        wait_for("Prometheus", 60, lambda: world.do(
            "gateway", "curl", "-sf", "-m", "2", "http://127.0.0.1:9090/-/ready", check=False).returncode == 0)
        wait_for("the recorder", 20, lambda: capture.exists())
        flows = traffic.make(world, servers, modules)
        # The metrics of all are the same; once is enough of minutes.
        asks_for_panels = backend == "ebpf"
        fine = True
        try:
            if asks_for_panels:
                since, until = keep_making(world, servers, modules, flows)
            print(f"  made {sum(flows.values())} flows")
            fine &= ask_prometheus(world, flows)
            if asks_for_panels:
                fine &= ask_for_panels(world, since, until)
        except LabError as error:
            print(f"  {error}")
            fine = False
        code = world.stop(daemon)
        if code != 0:
            print(f"  ddbwatch ended with {code}")
            fine = False
        world.stop(recorder, signal.SIGINT)
        fine &= compare("records of the daemon", flows, flows_of(records.read_text().splitlines()))
        text = run(binary, "analyze", "--format", "jsonl", "--config", config, capture).stdout
        fine &= compare("records of an analysis of the same packets", flows, flows_of(text.splitlines()))
        fine &= origins([json.loads(line) for line in records.read_text().splitlines()],
                        [json.loads(line) for line in text.splitlines()])
        if not fine:
            print(f"  log: {daemon.log.read_text()[-3000:]}")
            kept = Path(os.environ.get("LAB_KEEP", ""))
            if os.environ.get("LAB_KEEP"):
                shutil.copytree(world.folder, kept / backend, dirs_exist_ok=True)
        return fine


def main():
    if os.geteuid() != 0:
        sys.exit("the lab needs root, for network namespaces")
    binary = Path(sys.argv[1]).resolve()
    backends = sys.argv[2:] or ["ebpf", "afpacket", "pcap"]
    missing = [p for p in ("ip", "tc", "nft", "ss", "clang", "curl", "dumpcap", "prometheus", "openssl") if not shutil.which(p)]
    if missing:
        sys.exit(f"the lab needs: {' '.join(missing)}")
    modules = traffic.node_modules() if shutil.which("npm") else None
    if not modules:
        print("without the SDK for JavaScript: npm is missing")
    results = [one_backend(binary, backend, modules) for backend in backends]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
