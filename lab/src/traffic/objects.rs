//! The Kubernetes objects that traffic needs.

use std::fmt::Write as _;

use super::Server;
use super::images::Images;
use super::kubectl::Kubectl;
use crate::{Error, HostRecord, Result};

/// All objects are in it, and go with it.
pub(super) const NAMESPACE: &str = "garboard-traffic";
/// The port in a server's pod.
pub(super) const SERVER_PORT: u16 = 8080;
/// The port of a server's service.
pub(super) const SERVICE_PORT: u16 = 80;
/// How long pods may take to start or to go; the images are there already.
const DEADLINE: &str = "90s";

/// The name of a worker's server and of its service.
pub(super) fn server_name(worker: &str) -> String {
    format!("server-{worker}")
}

/// The name of a worker's client.
pub(super) fn client_name(worker: &str) -> String {
    format!("client-{worker}")
}

/// Makes everything and waits until the pods are ready.
pub(super) async fn make(
    kubectl: &Kubectl<'_>,
    workers: [&str; 2],
    images: &Images,
    progress: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    // What a killed run of this left may be on its way out and would take the new pods with it.
    remove(kubectl).await?;
    progress(&format!("traffic: pods start on {} and {}", workers[0], workers[1]));
    kubectl.run(&["apply", "--filename", "-"], &manifest(workers, images)).await?;
    let timeout = format!("--timeout={DEADLINE}");
    kubectl
        .run(&["wait", "--namespace", NAMESPACE, "--for=condition=Ready", "pod", "--all", &timeout], "")
        .await
        .map(drop)
}

/// Removes everything, and returns when it is gone.
pub(super) async fn remove(kubectl: &Kubectl<'_>) -> Result<()> {
    let timeout = format!("--timeout={DEADLINE}");
    kubectl.run(&["delete", "namespace", NAMESPACE, "--ignore-not-found", &timeout], "").await.map(drop)
}

/// What the cluster gave a worker's server.
pub(super) async fn server(kubectl: &Kubectl<'_>, worker: &HostRecord) -> Result<Server> {
    let name = server_name(&worker.name);
    let get = async |kind: &str, path: &str| {
        let output = format!("jsonpath={{{path}}}");
        kubectl.run(&["get", kind, &name, "--namespace", NAMESPACE, "--output", &output], "").await
    };
    let node_port = get("service", ".spec.ports[0].nodePort").await?;
    Ok(Server {
        worker: worker.name.clone(),
        node_address: worker.address,
        pod_address: get("pod", ".status.podIP").await?,
        service_address: get("service", ".spec.clusterIP").await?,
        node_port: node_port.parse().map_err(|_| Error::Refused {
            message: format!("service `{name}` has no NodePort but `{node_port}`"),
        })?,
    })
}

fn manifest(workers: [&str; 2], images: &Images) -> String {
    // A service account of its own: the default one is made by a controller some time after the namespace.
    let mut text = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {NAMESPACE} }}\n---\n\
         apiVersion: v1\nkind: ServiceAccount\nmetadata: {{ name: traffic, namespace: {NAMESPACE} }}\n\
         automountServiceAccountToken: false\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: server, namespace: {NAMESPACE} }}\n\
         data:\n  Corefile: |\n    .:5353 {{\n      health :{SERVER_PORT}\n      whoami\n    }}\n"
    );
    for worker in workers {
        let _ = write!(
            text,
            "---\n{}---\n{}---\n{}",
            server_pod(worker, images),
            service(worker),
            client_pod(worker, images)
        );
    }
    text
}

fn server_pod(worker: &str, images: &Images) -> String {
    let (name, image) = (server_name(worker), quoted(&images.server));
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, namespace: {NAMESPACE}, labels: {{ app: {name} }} }}\n\
         spec:\n  nodeName: {worker}\n  serviceAccountName: traffic\n  terminationGracePeriodSeconds: 1\n  containers:\n  \
         - name: server\n    image: {image}\n    imagePullPolicy: Never\n    args: [-conf, /etc/coredns/Corefile]\n    \
         readinessProbe: {{ httpGet: {{ path: /health, port: {SERVER_PORT} }}, periodSeconds: 1 }}\n    \
         volumeMounts: [{{ name: configuration, mountPath: /etc/coredns }}]\n  \
         volumes: [{{ name: configuration, configMap: {{ name: server }} }}]\n"
    )
}

fn service(worker: &str) -> String {
    let name = server_name(worker);
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{ name: {name}, namespace: {NAMESPACE} }}\n\
         spec:\n  type: NodePort\n  selector: {{ app: {name} }}\n  \
         ports: [{{ port: {SERVICE_PORT}, targetPort: {SERVER_PORT} }}]\n"
    )
}

fn client_pod(worker: &str, images: &Images) -> String {
    let (name, image) = (client_name(worker), quoted(&images.client));
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name}, namespace: {NAMESPACE} }}\n\
         spec:\n  nodeName: {worker}\n  serviceAccountName: traffic\n  terminationGracePeriodSeconds: 1\n  containers:\n  \
         - name: client\n    image: {image}\n    imagePullPolicy: Never\n    command: [sleep, infinity]\n"
    )
}

/// A YAML double-quoted scalar; JSON's is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_is_yaml_and_every_pod_uses_an_image_that_is_there() {
        let images = Images { server: "r/coredns:1".into(), client: "g/flannel:2".into() };
        let text = manifest(["w1", "w2"], &images);
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
        let kinds: Vec<&str> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
        assert_eq!(
            kinds,
            ["Namespace", "ServiceAccount", "ConfigMap", "Pod", "Service", "Pod", "Pod", "Service", "Pod"]
        );
        for pod in documents.iter().filter(|document| document["kind"] == "Pod") {
            let container = &pod["spec"]["containers"][0];
            assert_eq!(container["imagePullPolicy"], "Never");
            let expected = if container["name"] == "server" { "r/coredns:1" } else { "g/flannel:2" };
            assert_eq!(container["image"], expected);
        }
        assert_eq!(documents[3]["spec"]["nodeName"], "w1");
        assert_eq!(documents[8]["spec"]["nodeName"], "w2");
        assert_eq!(documents[2]["data"]["Corefile"], ".:5353 {\n  health :8080\n  whoami\n}\n");
    }
}
