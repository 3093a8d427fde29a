//! The `ddbwatch` command: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    ddbwatch::cli::run(std::env::args_os())
}
