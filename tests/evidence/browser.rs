//! The report in a browser: it fits wide and narrow windows, in light and dark, and prints.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{folder, of_all_captures};
use crate::support::is_there;

fn chromium(profile: &std::path::Path, arguments: &[String]) {
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
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{arguments:?}: {status}");
    // The profile's files are let go of a moment after the end.
    std::thread::sleep(Duration::from_millis(50));
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
