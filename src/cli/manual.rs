//! `ddbwatch man`: one page for the program and all of its commands.

use std::io;

use clap::Command;
use clap_mangen::Man;

/// What the generator calls the text after the help, which holds the exit codes, and what manual pages call it.
const EXTRA: (&str, &str) = (".SH EXTRA", ".SH \"EXIT STATUS\"");

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
    let mut rest = Vec::new();
    whole.render_extra_section(&mut rest)?;
    whole.render_version_section(&mut rest)?;
    page.extend(text(rest).replace(EXTRA.0, EXTRA.1).into_bytes());
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
    let heading = format!(".SH \"{}\"\n", name.to_uppercase());
    let parts = [
        text(synopsis).replacen(".SH SYNOPSIS\n", &heading, 1),
        text(description).replacen(".SH DESCRIPTION\n", ".PP\n", 1),
        text(options).replacen(".SH OPTIONS\n", "", 1),
    ];
    // Each part is a document that begins with the same definitions.
    Ok(parts.concat())
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
