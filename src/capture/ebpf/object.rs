//! The object file, and what loading it may end with.

use std::io;

use aya::programs::tc::TcError;
use aya::programs::{Program, ProgramError};
use aya::util::KernelVersion;
use aya::{EbpfError, EbpfLoader};

use super::Options;
use crate::capture::live::LiveError;

/// The object, for `bpf(2)`.
pub const OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/program.o"));

/// The compiler that made it: the first line of `clang --version`, or `kept object`.
pub const COMPILER: &str = env!("DDBWATCH_EBPF_COMPILER");

/// The oldest kernel it is written for.
const OLDEST_KERNEL: (u8, u8) = (5, 15);

/// The verifier explains every instruction; its last words say what is wrong.
const MAX_LOG_BYTES: usize = 600;
const MAX_VERDICT_LINES: usize = 2;

/// Gives the object to the kernel, with sizes and limits as in the options.
pub(super) fn load(options: &Options, ring_bytes: u32) -> Result<aya::Ebpf, LiveError> {
    let processors = aya::util::nr_cpus().map_err(|(what, source)| system(what, source))?;
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries("flows", options.flows.clamp(1_024, 1 << 24))
        .map_max_entries("scratches", u32::try_from(processors).unwrap_or(1))
        .map_max_entries("ring", ring_bytes)
        .override_global("flow_bytes", &options.flow_bytes, true)
        .override_global("request_bytes", &options.request_bytes, true)
        .override_global("unparsed_per_second", &options.unparsed_per_second, true);
    loader.load(OBJECT).map_err(|error| match error {
        EbpfError::ProgramError(error) => of_program("loading the eBPF program", error),
        EbpfError::MapError(error) => of_map(error),
        other => LiveError::Unsupported { what: "eBPF".to_owned(), why: with_kernel(&with_causes(&other)) },
    })
}

/// A program of the object, as the kind that it is.
pub(super) fn program<'a, P>(loaded: &'a mut aya::Ebpf, name: &str) -> Result<&'a mut P, LiveError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let program = loaded.program_mut(name).ok_or_else(|| missing(name))?;
    program.try_into().map_err(|error| of_program("loading the eBPF program", error))
}

/// The object is not the one that this was built for.
pub(super) fn missing(name: &str) -> LiveError {
    LiveError::Unsupported {
        what: "eBPF".to_owned(),
        why: format!("the program has no {name}: build ddbwatch anew"),
    }
}

/// What the kernel says of a map, in the words of live sources.
pub(super) fn of_map(error: aya::maps::MapError) -> LiveError {
    use aya::maps::MapError;
    match error {
        MapError::CreateError { io_error, .. } => system("creating the eBPF maps", io_error),
        MapError::SyscallError(error) => system("using the eBPF maps", error.io_error),
        other => LiveError::Unsupported { what: "eBPF".to_owned(), why: with_causes(&other) },
    }
}

/// What the kernel says of a program; of a refusal, the last words of its verifier.
pub(super) fn of_program(what: &str, error: ProgramError) -> LiveError {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            if is_refusal(&io_error) && verifier_log.to_string().trim().is_empty() {
                return system(what, io_error);
            }
            let log = verifier_log.to_string();
            let why = format!("the kernel refuses it ({io_error}): {}", verdict_of(&log));
            LiveError::Unsupported { what: what.to_owned(), why: with_kernel(&why) }
        }
        ProgramError::SyscallError(error) => system(what, error.io_error),
        ProgramError::MapError(error) => of_map(error),
        ProgramError::TcError(TcError::IoError(source)) => system(what, source),
        other => {
            let why = with_kernel(&with_causes(&other));
            LiveError::Unsupported { what: what.to_owned(), why }
        }
    }
}

/// What the system says while it does `what`.
pub(super) fn system(what: &str, source: io::Error) -> LiveError {
    if is_refusal(&source) {
        // Without CAP_PERFMON the verifier refuses what programs do with packets.
        let capability = "CAP_BPF with CAP_NET_ADMIN and CAP_PERFMON";
        return LiveError::Privilege { what: what.to_owned(), capability };
    }
    LiveError::System { what: what.to_owned(), source }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn with_kernel(why: &str) -> String {
    let (major, minor) = OLDEST_KERNEL;
    if is_kernel_at_least(major, minor) {
        why.to_owned()
    } else {
        format!("it needs Linux {major}.{minor} or newer; {why}")
    }
}

/// False where the version cannot be told.
pub(super) fn is_kernel_at_least(major: u8, minor: u8) -> bool {
    KernelVersion::current().is_ok_and(|current| current >= KernelVersion::new(major, minor, 0))
}

/// An error and what caused it, which aya does not put into the text of the outer one.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    end_of(&text).to_owned()
}

/// What the verifier says in the end, without the instructions on the way there and the sums behind it; the end of the log
/// where it says nothing.
fn verdict_of(log: &str) -> String {
    let is_verdict = |line: &&str| {
        let is_step = line.starts_with(|first: char| first.is_ascii_digit() || first == ';');
        let is_sum =
            ["processed ", "verification time ", "stack depth "].iter().any(|word| line.starts_with(word));
        !(line.is_empty() || is_step || is_sum)
    };
    let lines = || log.lines().rev().map(str::trim);
    let mut last: Vec<&str> =
        lines().skip_while(|line| !is_verdict(line)).take_while(is_verdict).take(MAX_VERDICT_LINES).collect();
    last.reverse();
    let verdict = if last.is_empty() { log.trim().to_owned() } else { last.join("; ") };
    end_of(&verdict).to_owned()
}

fn end_of(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MAX_LOG_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_privileges_that_are_missing() {
        let error = system("loading", io::Error::from_raw_os_error(1));
        assert_eq!(error.reason(), "privilege");
        assert!(error.to_string().contains("CAP_BPF"), "{error}");
        assert_eq!(system("loading", io::Error::from_raw_os_error(12)).reason(), "system");
    }

    /// As Linux 6.1 said of programs that it refused.
    #[test]
    fn finds_what_the_verifier_says_in_the_end() {
        let log = "0: R1=ctx(off=0,imm=0)\n; if (have > 0)\n2294: (85) call bpf_skb_load_bytes#26\n\
                   invalid access to map value, value_size=65840 off=48 size=0\n\
                   R3 min value is outside of the allowed memory range\n\
                   processed 9715 insns (limit 1000000) max_states_per_insn 14\n";
        assert_eq!(
            verdict_of(log),
            "invalid access to map value, value_size=65840 off=48 size=0; \
             R3 min value is outside of the allowed memory range"
        );
        let log = "combined stack size of 5 calls is 576. Too large\nprocessed 10218 insns\n";
        assert_eq!(verdict_of(log), "combined stack size of 5 calls is 576. Too large");
        assert_eq!(verdict_of("0: (b7) r0 = 0\n"), "0: (b7) r0 = 0");
        assert_eq!(verdict_of(""), "");
    }

    #[test]
    fn keeps_the_end_of_a_long_log() {
        let log = format!("{}ä the last words", "x".repeat(5_000));
        assert!(end_of(&log).ends_with("the last words"));
        assert!(end_of(&log).len() <= MAX_LOG_BYTES);
        for length in 590..610 {
            assert!(end_of(&"ä".repeat(length)).len() <= MAX_LOG_BYTES);
        }
        assert_eq!(end_of("short"), "short");
    }
}
