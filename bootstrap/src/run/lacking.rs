//! Hosts that need what is not there for their architecture: refused while nothing was written on any host.

use garboard_playbooks::{Lacking, Pinned};

use crate::lock::{Absent, FILE_NAME};
use crate::problem::{Exit, Problem};
use crate::store::StoreError;

/// One problem for each file or image, with the hosts that need it and the way out.
pub(super) fn problems(lacking: &[Lacking], absent: &Absent) -> Vec<Problem> {
    lacking.iter().map(|one| problem(one, absent.because(&one.name, &one.architecture))).collect()
}

fn problem(lacking: &Lacking, because: Option<&StoreError>) -> Problem {
    let Lacking { what, name, architecture, .. } = lacking;
    let hosts = quoted(&lacking.hosts);
    let verb = if lacking.hosts.len() == 1 { "needs" } else { "need" };
    let playbooks = quoted(&lacking.playbooks);
    if *what == Pinned::Carried {
        let message = format!(
            "this `garboard` carries no `{name}` for linux/{architecture}, which {hosts} {verb} (playbook {playbooks}); no host was changed"
        );
        return Problem::new(Exit::Refused, message)
            .cause("it was built where there was no C compiler for that architecture")
            .help(format!(
                "use a release, or build it once more with such a compiler (Debian's `{}`); or remove `edge.ddns`",
                if architecture == "arm64" { "gcc-aarch64-linux-gnu" } else { "gcc-x86-64-linux-gnu" }
            ));
    }
    let message = format!(
        "there is no {what} `{name}` for linux/{architecture}, which {hosts} {verb} (playbook {playbooks}); no host was changed"
    );
    let problem = Problem::new(Exit::Refused, message).help(help(lacking, &hosts, because));
    match because {
        Some(because) => problem.cause(because.to_string()),
        None => problem,
    }
}

fn help(lacking: &Lacking, hosts: &str, because: Option<&StoreError>) -> String {
    let Lacking { what, name, architecture, .. } = lacking;
    let leave = format!("leave {hosts} out, or use hosts of another architecture for what the playbook does");
    if let Some(StoreError::Platform { .. } | StoreError::Mislabelled { .. }) = because {
        return format!(
            "{leave}; once its publisher has built it for linux/{architecture}, delete `{name}` from `{FILE_NAME}` and run again"
        );
    }
    let from = match what {
        Pinned::File | Pinned::Carried => "the host or mirror that files come from",
        Pinned::Image => "the registry or mirror that images come from",
    };
    format!("see that {from} (`--upstream`) has it for linux/{architecture}; else {leave}")
}

fn quoted(names: &std::collections::BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(what: Pinned, name: &str, hosts: &[&str], playbook: &str) -> Lacking {
        Lacking {
            what,
            name: name.to_owned(),
            architecture: "arm64".to_owned(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            playbooks: [playbook.to_owned()].into(),
        }
    }

    #[test]
    fn a_refusal_names_what_is_not_there_for_whom_why_and_the_way_out() {
        let mut absent = Absent::default();
        let (reference, platform) = ("registry.k8s.io/etcd:3.6.8-0".to_owned(), "linux/arm64".to_owned());
        let available = vec!["linux/amd64".to_owned()];
        absent.add("etcd", "arm64", StoreError::Platform { reference, platform, available });
        let (reference, platform) = ("registry.k8s.io/pause:3.10.2".to_owned(), "linux/arm64".to_owned());
        let found = "is for linux/amd64".to_owned();
        absent.add("pause", "arm64", StoreError::Mislabelled { reference, platform, found });
        let (url, status) = ("https://mirror.lan/runc.arm64".to_owned(), "404 Not Found".to_owned());
        absent.add("runc", "arm64", StoreError::Status { url, status, detail: None });
        let all = [
            lacking(Pinned::Carried, "garboard-ddns", &["w2"], "ddns"),
            lacking(Pinned::Image, "etcd", &["cp1"], "control-plane"),
            lacking(Pinned::Image, "pause", &["w1", "w2"], "containerd"),
            lacking(Pinned::File, "runc", &["w1", "w2"], "containerd"),
        ];
        let problems = problems(&all, &absent);
        assert!(problems.iter().all(|problem| problem.exit == Exit::Refused));
        let text = serde_json::to_string_pretty(&problems).unwrap_or_default();
        insta::assert_snapshot!(text);
    }
}
