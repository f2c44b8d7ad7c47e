//! The admin client certificate of a control plane, out of `/etc/kubernetes/admin.conf`.
//!
//! kubeadm writes this kubeconfig itself, with each of the three contents as one base64 scalar in a line of its own; the
//! agent links no YAML for it.

use std::path::Path;

use garboard_protocol::Secret;
use garboard_protocol::event::AdminCredentials;

use crate::steps::StepError;
use crate::steps::certificate::base64;
use crate::system::Look;

const ADMIN_CONF: &str = "/etc/kubernetes/admin.conf";

/// Reads them.
pub(super) fn credentials(look: &dyn Look) -> Result<AdminCredentials, StepError> {
    let read = look.read_text(Path::new(ADMIN_CONF));
    let text =
        read.map_err(|source| StepError::File { action: "read", path: ADMIN_CONF.to_owned(), source })?;
    let Some(text) = text else {
        return Err(StepError::Failed {
            message: format!("`{ADMIN_CONF}` is not there: this host is no control plane, or not yet"),
            help: None,
        });
    };
    parse(&text)
}

fn parse(text: &str) -> Result<AdminCredentials, StepError> {
    Ok(AdminCredentials {
        certificate_authority: content(text, "certificate-authority-data")?,
        certificate: content(text, "client-certificate-data")?,
        key: Secret::new(content(text, "client-key-data")?),
    })
}

/// The decoded scalar of `key`. Other users or clusters in the file (a person added some) make it ambiguous: refused.
fn content(text: &str, key: &str) -> Result<String, StepError> {
    let wrong = |why: &str| StepError::Failed {
        message: format!("`{key}` of `{ADMIN_CONF}` {why}"),
        help: Some(
            "make it anew on that host: move the file away and run `kubeadm init phase kubeconfig admin`"
                .to_owned(),
        ),
    };
    let mut values = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("- ").trim_start();
        let value = line.strip_prefix(key)?.trim_start().strip_prefix(':')?;
        let value = value.split(" #").next().unwrap_or_default().trim();
        Some(value.trim_matches(['"', '\'']))
    });
    let value = values.next().ok_or_else(|| wrong("is missing"))?;
    if values.next().is_some() {
        return Err(wrong("is there more than once"));
    }
    let bytes = base64(value).ok_or_else(|| wrong("is no base64"))?;
    String::from_utf8(bytes).map_err(|_| wrong("is no PEM"))
}

#[cfg(test)]
mod tests {
    use super::{content, parse};

    const CONF: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Y2E=\n    \
        server: https://k8s:6443\n  name: kubernetes\ncontexts: []\nkind: Config\nusers:\n- name: kubernetes-admin\n  \
        user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n";

    #[test]
    fn the_three_contents_are_found_and_decoded() {
        let found = parse(CONF).unwrap();
        assert_eq!(found.certificate_authority, "ca");
        assert_eq!(found.certificate, "cert");
        assert_eq!(found.key.expose(), "key");
    }

    #[test]
    fn quotes_comments_and_list_dashes_do_no_harm() {
        for line in
            ["- client-key-data: \"a2V5\"", "  client-key-data: a2V5 # mine", "client-key-data : 'a2V5'"]
        {
            assert_eq!(content(line, "client-key-data").unwrap(), "key");
        }
    }

    #[test]
    fn missing_doubled_and_damaged_contents_are_refused_by_name() {
        let doubled = format!("{CONF}\n    client-key-data: a2V5\n");
        for (text, expected) in [
            (CONF.replace("client-key-data", "client-key"), "is missing"),
            (doubled, "more than once"),
            (CONF.replace("a2V5", "a2V5*"), "no base64"),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("client-key-data"), "{error}");
        }
    }
}
