//! Images of the mirror that no playbook brings, for what tests put into a cluster.

use serde_json::json;

use super::TestLab;
use super::environment::mirror_folder;

/// The web server that says who asked; see `xtask/upstream/backend/main.go`.
pub(crate) const BACKEND: &str = "registry.example.org/lab/backend:v1";

impl TestLab {
    /// Brings [`BACKEND`] into the store of a host, as `docker load` would.
    pub(crate) fn load_backend(&self, host: &str) {
        let repository = mirror_folder().join("registry/registry.example.org/lab/backend");
        let digest = fs_err::read_to_string(repository.join("tags/v1")).unwrap();
        let digest = digest.trim().trim_start_matches("sha256:").to_owned();
        let index = fs_err::read(repository.join("blobs/sha256").join(&digest)).unwrap();
        let layout = json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "digest": format!("sha256:{digest}"),
                "size": index.len(),
                "annotations": { "io.containerd.image.name": BACKEND, "org.opencontainers.image.ref.name": "v1" },
            }],
        });
        let on = self.host(host);
        on.write("/srv/backend/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        on.write("/srv/backend/index.json", &layout.to_string());
        let blobs = on.path("/srv/backend/blobs/sha256");
        fs_err::create_dir_all(&blobs).unwrap();
        for blob in fs_err::read_dir(repository.join("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            fs_err::copy(blob.path(), blobs.join(blob.file_name())).unwrap();
        }
        on.exec(&["tar", "--create", "--file", "/srv/backend.tar", "--directory", "/srv/backend", "."]);
        on.exec(&["/usr/local/bin/ctr", "--namespace", "k8s.io", "images", "import", "/srv/backend.tar"]);
        on.exec(&["rm", "-r", "/srv/backend", "/srv/backend.tar"]);
    }
}
