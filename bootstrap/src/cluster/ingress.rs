//! `Ingress` objects that nobody heeds.

use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use super::Cluster;
use super::ask::ask;
use super::error::ClusterError;

impl Cluster {
    /// Objects of this class outside these namespaces, as namespace and name: their maker waits for an answer that does not come.
    pub async fn unheeded_ingresses(
        &self,
        class: &str,
        namespaces: &[String],
    ) -> Result<Vec<(String, String)>, ClusterError> {
        let api: Api<Ingress> = Api::all(self.client.clone());
        let parameters = ListParams::default();
        let found = ask("list the Ingress objects", || api.list(&parameters)).await?;
        Ok(unheeded(&found.items, class, namespaces))
    }
}

fn unheeded(ingresses: &[Ingress], class: &str, namespaces: &[String]) -> Vec<(String, String)> {
    let of_class = ingresses.iter().filter(|ingress| {
        let spec = ingress.spec.as_ref();
        spec.and_then(|spec| spec.ingress_class_name.as_deref()) == Some(class)
    });
    of_class
        .map(|ingress| (ingress.namespace().unwrap_or_default(), ingress.name_any()))
        .filter(|(namespace, _)| !namespaces.contains(namespace))
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::Ingress;
    use serde_json::json;

    use super::unheeded;

    fn ingress(namespace: &str, class: &str) -> Ingress {
        let object = json!({
            "metadata": { "namespace": namespace, "name": "web" },
            "spec": { "ingressClassName": class },
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn only_what_its_maker_expects_of_this_class_is_named() {
        let all = [ingress("default", "traefik"), ingress("blog", "traefik"), ingress("blog", "other")];
        let heeded = ["default".to_owned()];
        assert_eq!(unheeded(&all, "traefik", &heeded), [("blog".to_owned(), "web".to_owned())]);
    }
}
