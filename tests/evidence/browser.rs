//! The report in a browser: it fits wide and narrow windows, in light and dark, and prints.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{folder, html, of_all_captures};
use crate::support::{is_there, run};

/// Runs the browser; gives what it writes to standard output.
fn chromium(profile: &Path, arguments: &[String]) -> String {
    let mut command = Command::new("timeout");
    command.arg("120").arg("chromium").args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--hide-scrollbars",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display())).args(arguments);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    // The profile's files are let go of a moment after the end.
    std::thread::sleep(Duration::from_millis(50));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Width, height and the colour of the first pixel's row filter aside: what the header of a PNG says.
fn size(png: &[u8]) -> (u32, u32) {
    assert_eq!(png.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn report_renders_and_prints() {
    if !is_there("chromium") || !is_there("timeout") {
        return;
    }
    let folder = folder();
    let report = folder.path().join("report.html");
    of_all_captures(&report);
    let url = format!("file://{}", report.display());
    let mut pictures = Vec::new();
    for (name, width, more) in [
        ("wide", 1_280, None),
        ("narrow", 390, None),
        ("dark", 1_280, Some("--blink-settings=preferredColorScheme=0")),
    ] {
        let picture = folder.path().join(format!("{name}.png"));
        let mut arguments =
            vec![format!("--window-size={width},1600"), format!("--screenshot={}", picture.display())];
        arguments.extend(more.map(str::to_owned));
        arguments.push(url.clone());
        chromium(&folder.path().join(format!("profile-{name}")), &arguments);
        let png = fs::read(&picture).unwrap();
        assert!(size(&png).1 >= 1_000 && png.len() > 20_000, "{name}: {:?}", size(&png));
        pictures.push(png);
    }
    assert_ne!(pictures[0], pictures[2], "dark is dark");
    let printed = folder.path().join("report.pdf");
    let arguments =
        ["--no-pdf-header-footer".to_owned(), format!("--print-to-pdf={}", printed.display()), url];
    chromium(&folder.path().join("profile-print"), &arguments);
    let pdf = fs::read(&printed).unwrap();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 50_000, "{} bytes", pdf.len());
}

/// Pixels between the margins of the paper that the report asks for.
pub const PAPER: u32 = 1_032;

/// What runs off the paper is not there for whoever reads the print, and a browser makes all letters small for it.
#[test]
fn no_word_of_a_stranger_runs_off_the_paper() {
    if !is_there("chromium") || !is_there("timeout") {
        return;
    }
    let folder = folder();
    let (records, report) = (folder.path().join("flows.jsonl"), folder.path().join("report.html"));
    let seen = run(&["analyze", "--format", "jsonl", "interception.pcap"]);
    let (issuer, word) = ("Corp TLS Inspection CA", "x".repeat(240));
    fs::write(&records, seen.text().replace(issuer, &word)).unwrap();
    let page = html(&report, &["report", records.to_str().unwrap()]);
    assert!(page.contains(&word));
    // As it is printed, on a screen as wide as the paper; the report itself lets no script run.
    let policy = page.split("<meta http-equiv=").nth(1).unwrap().split('>').next().unwrap();
    let page = page.replace(&format!("<meta http-equiv={policy}>"), "").replace("@media print", "@media all");
    assert_eq!(excess(folder.path(), &page, PAPER), "0");
}

/// Pixels by which a page is wider than the window, as the browser says.
pub fn excess(folder: &Path, page: &str, width: u32) -> String {
    let file = folder.join("measured.html");
    let script = "<script>document.title = document.documentElement.scrollWidth - innerWidth</script></body>";
    fs::write(&file, page.replace("</body>", script)).unwrap();
    let arguments =
        [format!("--window-size={width},800"), "--dump-dom".to_owned(), format!("file://{}", file.display())];
    let dom = chromium(&folder.join("profile"), &arguments);
    dom.split("<title>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or(&dom).to_owned()
}
