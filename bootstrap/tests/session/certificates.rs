//! Host certificates against a real sshd, by both transports.

use std::process::Command;

use garboard::problem::Exit;
use garboard::ssh::{SshError, Target, Transport};

use crate::openssh;
use crate::sshd::{Sshd, generate};

/// An sshd with an Ed25519 and an RSA key, and an authority.
fn certified(sign: &[&str]) -> Sshd {
    let sshd = Sshd::start(&["ed25519", "rsa"]);
    generate(&sshd.path("authority"), "ed25519", "");
    for kind in ["ed25519", "rsa"] {
        let status = Command::new("ssh-keygen")
            .args(["-q", "-I", "cp1", "-s"])
            .arg(sshd.path("authority"))
            .args(sign)
            .arg(sshd.path(&format!("host_{kind}.pub")))
            .status();
        assert!(status.unwrap().success());
        sshd.configure(&format!("HostCertificate {}", sshd.path(&format!("host_{kind}-cert.pub")).display()));
    }
    sshd
}

fn authority(sshd: &Sshd, marker: &str, names: &str) -> String {
    format!("{marker} {names} {}", fs_err::read_to_string(sshd.path("authority.pub")).unwrap())
}

/// What both transports make of it: nothing where the host is let in to.
async fn judged(sshd: &Sshd, known_hosts: &str, target: &Target) -> Option<SshError> {
    let (native, openssh) = (sshd.transport(known_hosts), openssh::transport(sshd, known_hosts, ""));
    let mut both = Vec::new();
    for transport in [&native as &dyn Transport, &openssh] {
        both.push(transport.connect(target).await.err());
    }
    let openssh = both.pop().unwrap();
    let native = both.pop().unwrap();
    // But for the file they name: each has one of its own here.
    let text = |error: &Option<SshError>| {
        let text = error.as_ref().map(ToString::to_string);
        text.map(|text| text.split(" revoked in ").next().unwrap_or_default().to_owned())
    };
    assert_eq!(text(&native), text(&openssh), "the two transports differ");
    native
}

const GOOD: [&str; 5] = ["-h", "-n", "elsewhere,127.0.0.1", "-V", "-1h:+1h"];

#[tokio::test]
async fn a_certificate_of_an_authority_lets_in() {
    let sshd = certified(&GOOD);
    for names in ["127.0.0.1", "*", "127.*,!127.0.0.2"] {
        let known_hosts = authority(&sshd, "@cert-authority", names);
        let refused = judged(&sshd, &known_hosts, &sshd.unpinned()).await;
        assert!(refused.is_none(), "{names}: {refused:?}");
    }
    // The port does not matter to an authority, but may be named.
    let named = authority(&sshd, "@cert-authority", &format!("[127.0.0.1]:{}", sshd.port()));
    assert!(judged(&sshd, &named, &sshd.unpinned()).await.is_none());
    // Nor does it take a certificate to be let in by a key that is known, or pinned.
    assert!(judged(&sshd, &sshd.known_host("rsa"), &sshd.unpinned()).await.is_none());
    assert!(judged(&sshd, "", &sshd.target()).await.is_none());
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_and_says_why() {
    for (sign, cause) in [
        (&["-h", "-n", "127.0.0.1", "-V", "20200101:20210101"][..], "it was good until 20"),
        (&["-h", "-n", "127.0.0.1", "-V", "+1d:+2d"], "it is not good before 20"),
        (&["-h", "-n", "cp2.lan,cp3.lan"], "it is made out to `cp2.lan`, `cp3.lan`, not to `127.0.0.1`"),
        (&["-h", "-n", "127.0.0.?"], "it is made out to `127.0.0.?`, not to `127.0.0.1`"),
        (&["-n", "127.0.0.1"], "it is a user's certificate, no host's"),
    ] {
        let sshd = certified(sign);
        let known_hosts = authority(&sshd, "@cert-authority", "*");
        let Some(error) = judged(&sshd, &known_hosts, &sshd.unpinned()).await else {
            panic!("{sign:?} lets in");
        };
        assert!(matches!(error, SshError::HostCertificate { .. }), "{sign:?}: {error}");
        assert!(error.to_string().contains(cause), "{error}");
        let problem = error.problem("cp1");
        assert_eq!(problem.exit, Exit::Refused);
        assert!(problem.help.unwrap().contains("`garboard trust cp1`"));
        // As for ssh: a key that is known by itself needs nobody to vouch for it.
        let both = known_hosts + &sshd.known_host("ed25519") + &sshd.known_host("rsa");
        assert!(judged(&sshd, &both, &sshd.unpinned()).await.is_none(), "{sign:?}");
    }
}

#[tokio::test]
async fn an_authority_that_is_revoked_or_of_others_counts_for_nothing() {
    let sshd = certified(&GOOD);
    let good = authority(&sshd, "@cert-authority", "*");
    let revoked = good.clone() + &authority(&sshd, "@revoked", "*");
    let error = judged(&sshd, &revoked, &sshd.unpinned()).await;
    assert!(matches!(error, Some(SshError::RevokedAuthority { .. })), "{error:?}");
    let key = fs_err::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    let key_revoked = good + "@revoked * " + &key;
    let error = judged(&sshd, &key_revoked, &sshd.unpinned()).await;
    assert!(matches!(error, Some(SshError::RevokedHostKey { .. })), "{error:?}");

    for elsewhere in [
        authority(&sshd, "@cert-authority", "*.lan"),
        authority(&certified(&GOOD), "@cert-authority", "*"),
        String::new(),
    ] {
        let error = judged(&sshd, &elsewhere, &sshd.unpinned()).await;
        assert!(matches!(error, Some(SshError::UnknownHostKey { .. })), "{elsewhere}: {error:?}");
    }
}
