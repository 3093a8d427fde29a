//! The flags, as typed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::config::Backend;
use crate::model::Severity;
use crate::pipeline::live::Speed;

/// Shows from packets whether DynamoDB traffic keeps its TLS and path rules.
#[derive(Debug, Parser)]
#[command(
    name = "ddbwatch",
    version = VERSION,
    about,
    long_about = "Shows from packets whether traffic to Amazon DynamoDB keeps the rules for it: TLS of at \
                  least a minimum version, forward secrecy, signed requests, the intended path. It \
                  decrypts nothing.",
    after_help = exit_codes(),
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Colour: `auto` is on where a terminal reads and NO_COLOR is not set
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// Version, and the revision it was built from where the build knows it.
pub const VERSION: &str = match option_env!("DDBWATCH_REVISION") {
    Some(revision) => revision,
    None => env!("CARGO_PKG_VERSION"),
};

/// What the program ends with.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done"),
    (1, "cannot run: an input is missing, unreadable or no capture"),
    (2, "wrong usage or configuration"),
    (3, "done, and --fail-on was met"),
    (4, "done, but part of an input was damaged, could not be read or is of an unsupported link type"),
    (130, "stopped by a signal; what was read until then is reported"),
];

fn exit_codes() -> String {
    let lines = EXIT_CODES.iter().map(|(code, meaning)| format!("\n  {code}  {meaning}"));
    format!("Exit codes:{}", lines.collect::<String>())
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch interfaces of this host, or replay captures as if they came by now; metrics, status page and API over HTTP
    Watch(Watch),
    /// Read captures and report every DynamoDB flow in them
    Analyze(Analyze),
    /// Make the evidence report from recorded flows (JSON Lines)
    Report(Report),
    /// Show the live picture in a terminal, of a running daemon or of captures: what is wrong, who must act, what was
    /// not seen
    Top(Top),
    /// Read configuration and policy and print what they resolve to; no packet is touched
    Check(Check),
    /// Explain a rule (what, why, source, remedy) or a host name (which endpoint it is, and why)
    Explain(Explain),
    /// List the rules
    Rules,
    /// List the policy profiles, or print one with its sources
    Profiles(Profiles),
    /// Tell what works on this host, what does not, and the command that mends it
    #[cfg(target_os = "linux")]
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
}

/// The arguments of `ddbwatch watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// Interface to watch, by name or pattern (`vti*`), or `any`, which leaves out the loopback; may be given more than once
    /// [default: what the configuration says]
    #[arg(short, long, value_name = "IFACE", value_hint = ValueHint::Other, value_parser = NonEmptyStringValueParser::new())]
    pub interface: Vec<String>,

    /// How packets are taken from the interfaces [default: auto, the best this host allows]
    #[arg(long, value_name = "auto|ebpf|afpacket|pcap", value_parser = backends(), hide_possible_values = true)]
    pub backend: Option<Backend>,

    /// Play a capture, or a folder of them, instead of watching interfaces
    #[arg(long, value_name = "CAPTURE", value_hint = ValueHint::AnyPath, conflicts_with_all = ["interface", "backend"])]
    pub replay: Option<PathBuf>,

    /// So many times as fast as recorded, or `max`
    #[arg(long, value_name = "N|max", value_hint = ValueHint::Other, value_parser = parse_speed, requires = "replay", conflicts_with = "interface", default_value = "1")]
    pub speed: Speed,

    /// Play again from the start, until stopped
    #[arg(long = "loop", requires = "replay", conflicts_with = "interface")]
    pub is_endless: bool,

    /// Configuration file (TOML); read again on SIGHUP
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// How the log on standard error looks
    #[arg(long, value_enum, value_name = "text|json", default_value_t = LogForm::Text, hide_possible_values = true)]
    pub log_format: LogForm,

    /// What is logged: this and what is graver
    #[arg(long, value_enum, value_name = "error|warn|info|debug", default_value_t = LogLevel::Info, hide_possible_values = true)]
    pub log_level: LogLevel,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    Text,
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// The arguments of `ddbwatch analyze`.
#[derive(Debug, Args)]
pub struct Analyze {
    /// Captures, folders of captures, or - for standard input (pcap, pcapng; plain, gzip, zstd)
    #[arg(required = true, value_name = "CAPTURE", value_hint = ValueHint::AnyPath)]
    pub captures: Vec<PathBuf>,

    /// Format of what is written
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub format: Format,

    /// Write to FILE instead of standard output (`-`); it appears there only when it is complete
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// With --format parquet: files by date and region below the folder that -o names, new or empty (Hive)
    #[arg(long, requires = "output")]
    pub partition: bool,

    /// Policy profile (see `ddbwatch profiles`), in place of that of the configuration
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub profile: Option<String>,

    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Report every TLS or plaintext-HTTP flow, not only DynamoDB's
    #[arg(long)]
    pub all_services: bool,

    /// Exit with 3 where a violation is at least this grave
    #[arg(long, value_name = "info|warning|critical", value_parser = severities(), hide_possible_values = true)]
    pub fail_on: Option<Severity>,

    /// Files read at the same time [default: as many as there are cores]
    #[arg(long, value_name = "N", value_hint = ValueHint::Other, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,

    /// Draw no progress bar (without a terminal none is drawn)
    #[arg(long)]
    pub no_progress: bool,

    /// Replace account ids in the output [default: on, or what the configuration says]
    #[arg(long, value_enum, value_name = "on|off", hide_possible_values = true)]
    pub redact: Option<Switch>,
}

/// The arguments of `ddbwatch report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Recorded flows, folders of them (*.jsonl, also .gz and .zst), or - for standard input
    #[arg(required = true, value_name = "RECORDS", value_hint = ValueHint::AnyPath)]
    pub records: Vec<PathBuf>,

    /// Format of what is written
    #[arg(long, value_enum, default_value_t = ReportFormat::Html, value_name = "FORMAT")]
    pub format: ReportFormat,

    /// Write to FILE instead of standard output (`-`); it appears there only when it is complete
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// With --format parquet: files by date and region below the folder that -o names, new or empty (Hive)
    #[arg(long, requires = "output")]
    pub partition: bool,

    /// Judge the flows anew by this profile [default: the verdicts as recorded]
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub profile: Option<String>,

    /// Judge the flows anew by the policy of this configuration file (TOML)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Exit with 3 where a violation is at least this grave
    #[arg(long, value_name = "info|warning|critical", value_parser = severities(), hide_possible_values = true)]
    pub fail_on: Option<Severity>,

    /// Replace account ids in the output [default: on, or what the configuration says]
    #[arg(long, value_enum, value_name = "on|off", hide_possible_values = true)]
    pub redact: Option<Switch>,
}

/// The arguments of `ddbwatch top`.
#[derive(Debug, Args)]
#[command(after_help = "\
Keys:
  1 2 3 4, Tab   overview, flows, clients, what was not seen
  arrows, Enter  choose a rule, flow or client, and see all of it
  /              filter: words, and key=value such as verdict=violation or tls.curve=x25519
  s, S           sort by the next column, the other way round
  Space, r       hold the picture, ask the daemon now
  ?, q           all keys, quit

Where standard output is no terminal, or with --once, one picture is written as text.")]
pub struct Top {
    /// Captures, folders of captures, or - for standard input, in place of a daemon
    #[arg(value_name = "CAPTURE", value_hint = ValueHint::AnyPath, conflicts_with = "url")]
    pub captures: Vec<PathBuf>,

    /// Where the daemon listens
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, default_value = "http://127.0.0.1:9477")]
    pub url: String,

    /// Seconds between two questions to the daemon
    #[arg(long, value_name = "SECONDS", value_hint = ValueHint::Other, value_parser = parse_interval, default_value = "2")]
    pub interval: Duration,

    /// Write one picture as text and end
    #[arg(long)]
    pub once: bool,

    /// Policy profile for captures; a daemon has its own
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, requires = "captures")]
    pub profile: Option<String>,

    /// Configuration file (TOML) for captures; a daemon has its own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "captures")]
    pub config: Option<PathBuf>,
}

/// Output formats of recorded flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// The evidence report
    Html,
    /// The records again, one JSON object per flow and line
    Jsonl,
    /// The same columns as comma-separated values
    Csv,
    /// The same columns, typed, as Apache Parquet
    Parquet,
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: findings, flows, summary, coverage
    Table,
    /// One JSON object per flow and line
    Jsonl,
    /// The same columns as comma-separated values
    Csv,
    /// The evidence report: one HTML file with findings, evidence, coverage and inventory
    Html,
    /// The same columns, typed, as Apache Parquet
    Parquet,
    /// Metrics as text, for the textfile collector
    Prometheus,
}

/// A flag with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// The arguments of `ddbwatch check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Configuration file (TOML); without one the defaults are printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// The arguments of `ddbwatch explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A rule id such as tls_version_too_low, or a host name
    #[arg(value_name = "RULE | HOSTNAME", value_hint = ValueHint::Other)]
    pub subject: String,
}

/// The arguments of `ddbwatch profiles`.
#[derive(Debug, Args)]
pub struct Profiles {
    /// Print all of this profile
    #[arg(value_name = "NAME", value_hint = ValueHint::Other)]
    pub name: Option<String>,
    /// Configuration file with profiles of one's own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, action = ArgAction::Set)]
    pub config: Option<PathBuf>,
}

/// The arguments of `ddbwatch doctor`.
#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub struct Doctor {
    /// Interface to look at: a name, a pattern with * and ?, or any [default: all that are up]
    #[arg(short, long = "interface", value_name = "IFACE", value_hint = ValueHint::Other)]
    pub interfaces: Vec<String>,
}

/// The arguments of `ddbwatch completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

impl Analyze {
    /// The file to write, or `None` for standard output (`-o -`, or no `-o`).
    pub fn file(&self) -> Option<&Path> {
        file(self.output.as_deref())
    }
}

impl Report {
    /// The file to write, or `None` for standard output (`-o -`, or no `-o`).
    pub fn file(&self) -> Option<&Path> {
        file(self.output.as_deref())
    }
}

fn file(output: Option<&Path>) -> Option<&Path> {
    output.filter(|path| path.as_os_str() != "-")
}

/// Closed sets, which completions know.
fn backends() -> impl TypedValueParser<Value = Backend> {
    PossibleValuesParser::new(Backend::ALL.iter().map(|backend| backend.as_str()))
        .try_map(|word| Backend::parse(&word).ok_or("no such back-end"))
}

fn severities() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.iter().map(|severity| severity.as_str()))
        .try_map(|word| Severity::parse(&word).ok_or("no such severity"))
}

fn parse_speed(word: &str) -> Result<Speed, String> {
    /// Slower than one day for a second, or faster than any packet can be read, is a slip of the pen.
    const TIMES: std::ops::RangeInclusive<f64> = 1e-5..=1e9;
    match word.parse::<f64>() {
        _ if word == "max" => Ok(Speed::Max),
        Ok(times) if TIMES.contains(&times) => Ok(Speed::Times(times)),
        _ => Err("expected a number such as 1, 0.5 or 10, or max".to_owned()),
    }
}

fn parse_interval(word: &str) -> Result<Duration, String> {
    /// The daemon gives the same answer for a tenth of a second; slower than an hour is not live.
    const SECONDS: std::ops::RangeInclusive<f64> = 0.2..=3600.0;
    match word.parse::<f64>() {
        Ok(seconds) if SECONDS.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds from 0.2 to 3600".to_owned()),
    }
}
