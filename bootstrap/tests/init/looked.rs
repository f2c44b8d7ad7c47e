//! A look at hosts that cannot be logged in to: they stay in the inventory, with the reason, and are named.

use crate::desk::Desk;

#[test]
fn a_host_that_does_not_answer_is_kept_with_the_reason_and_named() {
    let desk = Desk::new();
    fs_err::write(desk.path("away.sh"), "echo the gateway is away >&2; exit 1\n").unwrap();
    let proxy = format!("sh {}", desk.path("away.sh").display());
    let flags = ["--name", "home", "--host", "192.0.2.1", "--proxy-command", &proxy, "--look"];
    let output = desk.init(&flags);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: 192.0.2.1: ") && said.contains("the gateway is away"), "{said}");
    assert!(said.contains("next: `garboard check`"), "{said}");
    let text = desk.written().unwrap();
    garboard_inventory::parse("written", &text).unwrap();
    assert!(text.contains("# It could not be looked at: ") && text.contains("the gateway is away"), "{text}");
    assert!(text.contains("\n  node1:\n    address: 192.0.2.1\n"), "{text}");
}
