//! A user who reaches less than others.

use std::process::Command;

use super::{INVENTORY, Site, ip};

/// What a user's own network knows of ways.
fn routes(site: &Site, user: &str) -> String {
    let namespace = &site.namespace(user).0;
    let output = Command::new("ip").args(["-n", namespace, "route"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_routes_of_its_own_is_told_of_those_alone_and_reaches_no_more() {
    let own = "alice, { name: bob, routes: [10.99.0.2/32] }";
    let site = Site::of("own", &INVENTORY.replace("alice, bob", own));
    let (_, _, _alice) = site.come_in("alice");
    let (_, _, bob) = site.come_in("bob");
    assert!(routes(&site, "alice").contains("10.99.0.0/24"), "{}", routes(&site, "alice"));
    let told = routes(&site, "bob");
    assert!(told.contains("10.99.0.2") && !told.contains("10.99.0.0/24"), "{told}\n{}", bob.said);
    // Whoever finds the way by himself.
    ip(&["-n", &site.bob.0, "route", "add", "10.99.0.0/24", "via", "10.8.0.1"]);
    for (user, address, expected) in [
        ("alice", "10.99.0.1", true),
        ("alice", "10.99.0.2", true),
        ("bob", "10.99.0.2", true),
        ("bob", "10.99.0.1", false),
    ] {
        assert_eq!(site.reaches_at(user, address), expected, "{user} and {address}");
    }
}
