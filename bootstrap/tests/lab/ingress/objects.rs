//! What a user puts into the cluster: backends, `Ingress` objects, certificates.

use std::process::Command;

use super::{FOLLOWS, asked};
use crate::harness::{BACKEND, TestLab, until};

/// Two backends on that worker, each behind a name; a path of the second leads to the first.
pub(crate) fn serve(lab: &TestLab, worker: &str) {
    lab.load_backend(worker);
    let text = [backend("one", "default"), backend("two", "default")].join("---\n")
        + "---\n"
        + &ingress("one", "default", "app1.example.org", &[("/", "one")], "")
        + "---\n"
        + &ingress("two", "default", "app2.example.org", &[("/shop", "one"), ("/", "two")], "");
    apply(lab, "backends", &text);
    for name in ["one", "two"] {
        lab.wait(&["--for=condition=Available", &format!("deployment/{name}")]);
    }
}

/// One that is not heeded, and after it one that is.
pub(super) fn in_another_namespace(lab: &TestLab) {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: { name: elsewhere }\n---\n".to_owned()
        + &backend("three", "elsewhere")
        + "---\n"
        + &ingress("three", "elsewhere", "elsewhere.example.org", &[("/", "three")], "");
    apply(lab, "elsewhere", &text);
    lab.wait(&["--namespace=elsewhere", "--for=condition=Available", "deployment/three"]);
    let late = backend("late", "shop")
        + "---\n"
        + &ingress("late", "shop", "late.example.org", &[("/", "late")], "");
    apply(lab, "late", &late);
    lab.wait(&["--namespace=shop", "--for=condition=Available", "deployment/late"]);
}

/// An `Ingress` names its own Secret.
pub(super) fn certificate_of_an_ingress(lab: &TestLab) {
    let folder = certificate(lab, "own", "secure.example.org");
    secret(lab, "default", "own", &folder);
    apply(lab, "secure", &ingress("secure", "default", "secure.example.org", &[("/", "one")], "own"));
    let asked = asked(lab);
    let authority = format!("{folder}/ca.crt");
    let right =
        until(FOLLOWS, || asked.https("secure.example.org", "/", &authority, &[]).body.starts_with("one-"));
    assert!(right, "{:?}", asked.https("secure.example.org", "/", &authority, &[]));
}

/// The inventory names a Secret that comes later, is taken without a restart, and replaced.
pub(super) fn certificate_of_all(lab: &TestLab) {
    let asked = asked(lab);
    let restarts = || {
        lab.kubectl(&[
            "get",
            "pods",
            "--namespace=traefik",
            "-o",
            "jsonpath={.items[*].metadata.name} {.items[*].status.containerStatuses[*].restartCount}",
        ])
    };
    let before = restarts();
    for name in ["first", "second"] {
        let folder = certificate(lab, name, "app1.example.org");
        secret(lab, "traefik", "wildcard", &folder);
        let authority = format!("{folder}/ca.crt");
        // A kubelet looks at a Secret once a minute.
        let mut right = false;
        for _ in 0..3 {
            right = right
                || until(FOLLOWS, || {
                    asked.https("app1.example.org", "/", &authority, &[]).body.starts_with("one-")
                });
        }
        assert!(right, "{name}: {:?}", asked.https("app1.example.org", "/", &authority, &[]));
    }
    assert_eq!(restarts(), before);
    let plain = asked.http("app1.example.org", "/there", &[]);
    assert!(matches!(plain.status, 301 | 308), "{plain:?}");
    assert_eq!(plain.location, "https://app1.example.org/there");
}

fn backend(name: &str, namespace: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name}, namespace: {namespace} }}
spec:
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      containers:
      - {{ name: backend, image: '{BACKEND}', imagePullPolicy: Never, ports: [{{ containerPort: 8080 }}],
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }} }} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: {name}, namespace: {namespace} }}
spec: {{ selector: {{ app: {name} }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
"
    )
}

fn ingress(name: &str, namespace: &str, host: &str, paths: &[(&str, &str)], secret: &str) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|(path, service)| {
            format!("{{ path: {path}, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}")
        })
        .collect();
    let tls = if secret.is_empty() {
        String::new()
    } else {
        format!("  tls: [{{ hosts: [{host}], secretName: {secret} }}]\n")
    };
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: {name}, namespace: {namespace} }}\nspec:\n{tls}  rules:\n  - host: {host}\n    http: {{ paths: [{}] }}\n",
        paths.join(", ")
    )
}

fn apply(lab: &TestLab, name: &str, text: &str) {
    let path = lab.folder().join(format!("{name}.yaml"));
    fs_err::write(&path, text).unwrap();
    lab.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
}

fn secret(lab: &TestLab, namespace: &str, name: &str, folder: &str) {
    let (certificate, key) = (format!("{folder}/tls.crt"), format!("{folder}/tls.key"));
    let namespace = format!("--namespace={namespace}");
    lab.kubectl(&["delete", "secret", name, &namespace, "--ignore-not-found"]);
    let words = ["create", "secret", "tls", name, &namespace, "--cert", &certificate, "--key", &key];
    lab.kubectl(&words);
}

fn certificate(lab: &TestLab, name: &str, host: &str) -> String {
    certificate_for(lab, name, &format!("DNS:{host}"))
}

/// `ca.crt`, `tls.crt` and `tls.key` of an authority of its own, in a folder.
pub(super) fn certificate_for(lab: &TestLab, name: &str, host: &str) -> String {
    let folder = lab.folder().join(name);
    fs_err::create_dir_all(&folder).unwrap();
    let run = |words: &[&str]| {
        let output = Command::new("openssl").current_dir(&folder).args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let subject = format!("/CN={name} authority");
    run(&[
        &["req", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt", "-subj", &subject],
        &curve[..],
    ]
    .concat());
    let subject = format!("/CN={name}");
    run(&[&["req", "-keyout", "tls.key", "-out", "tls.csr", "-subj", &subject], &curve[..]].concat());
    fs_err::write(folder.join("names"), format!("subjectAltName={host}\n")).unwrap();
    run(&[
        "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2", "-extfile",
        "names", "-out", "tls.crt",
    ]);
    folder.to_str().unwrap().to_owned()
}
