//! `ddbwatch man`: one page for the program and all of its commands.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::args::EXIT_CODES;

/// What of the environment is looked at.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("NO_COLOR", "Where it is set and not empty: no colour, unless --color asks for it."),
    (
        "COLUMNS, LINES",
        "The size of a table, and of the one picture of top, where it is not to be that of the terminal.",
    ),
    ("LC_ALL, LC_CTYPE, LANG", "Without UTF-8 in the first that is set, tables are drawn in ASCII."),
    ("TERM", "Where it is empty or dumb, top writes one picture as text."),
    (
        "NOTIFY_SOCKET, WATCHDOG_USEC",
        "Of systemd: watch tells it that it is ready, how it goes, and that it is alive.",
    ),
];

/// The files of a daemon as it is installed; none is read that is not named by an option or in the configuration.
const FILES: &[(&str, &str)] = &[
    ("/etc/ddbwatch/ddbwatch.toml", "The configuration of the service ddbwatch.service."),
    ("/var/log/ddbwatch/flows.jsonl", "Its records; flows.jsonl.1 and so on are older ones."),
    ("FILE.partial", "What -o FILE names, until it is complete, or of a run that was stopped."),
];

/// The page, as troff reads it.
///
/// # Errors
/// None: it is written to memory.
pub fn page(mut command: Command) -> io::Result<Vec<u8>> {
    command.build();
    let whole = Man::new(command.clone());
    let mut page = Vec::new();
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    for one in command.get_subcommands() {
        page.extend(section(one)?.into_bytes());
    }
    page.extend(b".SH \"EXIT STATUS\"\n");
    for (code, meaning) in EXIT_CODES {
        page.extend(format!(".TP\n\\fB{code}\\fR\n{}\n", escaped(meaning)).into_bytes());
    }
    for (heading, entries) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        page.extend(format!(".SH {heading}\n").into_bytes());
        for (name, meaning) in entries {
            page.extend(format!(".TP\n\\fB{}\\fR\n{}\n", escaped(name), escaped(meaning)).into_bytes());
        }
    }
    whole.render_version_section(&mut page)?;
    Ok(page)
}

/// A command: how it is called, what it does, its options. They stand on this page, because a page of its own would
/// have to be installed with it.
fn section(command: &Command) -> io::Result<String> {
    let own: Vec<_> = command.get_arguments().map(clap::Arg::get_id).cloned().collect();
    // Those of every command are told once.
    let of_all = own.into_iter().filter(|id| ["color", "help"].contains(&id.as_str()));
    let short =
        of_all.fold(command.clone(), |command, id| command.mut_arg(id, |argument| argument.hide(true)));
    let name = short.get_bin_name().unwrap_or_else(|| short.get_name()).to_owned();
    let man = Man::new(short);
    let (mut synopsis, mut description, mut options) = (Vec::new(), Vec::new(), Vec::new());
    man.render_synopsis_section(&mut synopsis)?;
    man.render_description_section(&mut description)?;
    man.render_options_section(&mut options)?;
    // What follows the help of a command is laid out already.
    let after = command
        .get_after_help()
        .map_or_else(String::new, |after| format!(".PP\n.nf\n{}\n.fi\n", escaped(&after.to_string())));
    let heading = format!(".SH \"{}\"\n", name.to_uppercase());
    let parts = [
        with_values(command, text(synopsis)).replacen(".SH SYNOPSIS\n", &heading, 1),
        text(description).replacen(".SH DESCRIPTION\n", ".PP\n", 1),
        text(options).replacen(".SH OPTIONS\n", "", 1),
        after,
    ];
    // Each part is a document that begins with the same definitions.
    Ok(parts.concat())
}

/// The synopsis with the values that options take and a sign of what may be given again, which the generator leaves out.
fn with_values(command: &Command, synopsis: String) -> String {
    let with_value = command.get_arguments().filter(|argument| argument.get_action().takes_values());
    with_value.fold(synopsis, |synopsis, argument| {
        let Some([value, ..]) = argument.get_value_names() else { return synopsis };
        let again = if is_taken_again(argument) { "..." } else { "" };
        let Some(long) = argument.get_long() else {
            let value = format!("\\fI{}\\fR", escaped(value));
            return [('<', '>'), ('[', ']')].into_iter().fold(synopsis, |synopsis, (open, close)| {
                let place = format!("{open}{value}{close}");
                synopsis.replacen(&place, &format!("{place}{again}"), 1)
            });
        };
        let option = format!("\\fB\\-\\-{}\\fR", escaped(long));
        synopsis.replacen(&format!("{option}]"), &format!("{option} \\fI{}\\fR]{again}", escaped(value)), 1)
    })
}

/// Whether more than one value is taken, at once or by repetition.
fn is_taken_again(argument: &clap::Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}

/// As troff takes it for text: no line of ours begins with a dot or a quotation mark.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('-', "\\-")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
