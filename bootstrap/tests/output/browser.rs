//! The page in a real browser (Debian's `chromium`), without a network.

use std::path::Path;
use std::process::Command;

use garboard::output::report::page;
use serde_json::Value;

use crate::example;

/// What the browser made of a page, and every address the page made it ask for.
struct Opened {
    tree: String,
    asked_for: Vec<String>,
}

fn open(folder: &Path, page: &str) -> Opened {
    let (path, log) = (folder.join("report.html"), folder.join("log.json"));
    fs_err::write(&path, page).unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-extensions"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--net-log-capture-mode=Everything", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("file://{}", path.display()))
        .env("HOME", folder)
        .output()
        .expect("this test needs Debian's package `chromium`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs_err::read_to_string(log).unwrap();
    let log: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut asked_for = Vec::new();
    for event in log["events"].as_array().unwrap() {
        let (url, initiator) = (&event["params"]["url"], &event["params"]["initiator"]);
        // The browser itself looks for news of its own; such requests have no origin.
        if initiator.as_str().is_some_and(|initiator| initiator != "not an origin") {
            asked_for.extend(url.as_str().map(str::to_owned));
        }
    }
    Opened { tree: String::from_utf8(output.stdout).unwrap(), asked_for }
}

#[test]
fn a_browser_shows_hosts_steps_and_the_failure_and_loads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), &page(&example::run()));
    for words in [
        "<th>w2</th>",
        "containerd/4",
        "kubeadm join",
        "`kubeadm join` failed",
        "&lt;cannot&gt; connect &amp; stay connected",
        "look at `journalctl -u kubelet` on w2",
        "level = \"warn\"",
    ] {
        assert!(opened.tree.contains(words), "`{words}` is not in:\n{}", opened.tree);
    }
    assert!(
        !opened.tree.contains("http://")
            && !opened.tree.contains("https://")
            && !opened.tree.contains("file:")
    );
    assert!(opened.asked_for.is_empty(), "{:?}", opened.asked_for);
}

/// The check above can fail, and the page's own policy keeps a reference that slipped in from being followed.
#[test]
fn a_reference_to_elsewhere_is_seen_by_this_test_and_stopped_by_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let picture = "<main><img src=\"http://elsewhere.example/picture.png\">";
    let page = page(&example::run()).replacen("<main>", picture, 1);
    let is_asked =
        |page: &str| open(folder.path(), page).asked_for.iter().any(|url| url.contains("elsewhere"));
    assert!(!is_asked(&page), "the policy let it through");
    let open_page = page.replace("default-src 'none'", "default-src *");
    assert!(is_asked(&open_page), "the browser's log tells of no requests");
}
