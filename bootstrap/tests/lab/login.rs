//! Logins as people have them: kinds of users, of `sudo`, of keys and of ways, on hosts with the sshd and the sudo that
//! Debian ships. What cannot work says so once, with host, cause and fix; and no secret shows up anywhere meanwhile.

mod failing;
mod secrets;
mod setup;
mod working;

use std::thread;

use crate::harness::{Phases, Sampler, Shape, TestLab};
use setup::Setup;

#[test]
fn logins_as_people_have_them() {
    let mut phases = Phases::of("logins_as_people_have_them");
    let lab = phases.must("two bare hosts", || TestLab::up("t-login", Shape::workers(1).without_mirror()));
    let setup = phases.must("users and keys", || Setup::new(&lab));
    let watch = Sampler::<()>::start(|()| {});
    phases.check("each login that can work works", || {
        // A host takes one run at a time: a lane for each host.
        thread::scope(|scope| {
            let lanes = ["cp1", "w1"].map(|host| scope.spawn(|| working::run(&setup, host)));
            let failed: Vec<String> = lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect();
            assert!(failed.is_empty(), "{}", failed.join("\n"));
        });
    });
    phases.check("each login that cannot work says why, once", || failing::run(&setup));
    phases.check("a wrong sudo password is given once", || failing::a_wrong_password_is_given_once(&setup));
    phases.check("a host without sudo is named", || failing::no_sudo(&setup));
    let (samples, ()) = watch.stop();
    phases.check("no secret shows up anywhere", || secrets::show_up_nowhere(&setup, &samples));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// Every channel goes through `sudo` then: the agent's own, and the pipes to the API server.
#[test]
fn a_cluster_comes_up_through_sudo_with_a_password() {
    let lab = TestLab::up("t-sudo", Shape::workers(1));
    let _setup = Setup::new(&lab);
    let folder = lab.folder().display().to_string();
    let identity = format!("\"{}\"", lab.lab_folder().join("identity").display());
    let login = lab.edited(
        "user: root",
        &format!("user: pi\n  sudo: {{ password: {{ file: {folder}/secrets/password }} }}"),
    );
    let key = lab.edited(&identity, &format!("\"{folder}/keys/ed25519\""));
    lab.converge();
    lab.assert_ready();
    lab.converged();
    drop((key, login));
}
