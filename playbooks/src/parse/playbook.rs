//! One `playbook.yaml`.

use super::Reader;
use crate::diagnostic::{Fault, Faults};
use crate::file::Spanned;
use crate::playbook::{Playbook, Selector};
use crate::yaml::{Fields, Node, Value};

impl Reader<'_> {
    /// Reads a whole playbook. What is wrong is noted; what can be read all the same is.
    pub(crate) fn playbook(&mut self, node: &Node) -> Option<Playbook> {
        let mut fields = Fields::of(node, "a playbook", self.faults)?;
        let about = fields.required("about", self.faults).and_then(|node| about(node, self.faults));
        let hosts_node = fields.required("hosts", self.faults);
        let hosts = hosts_node.and_then(|node| selector(node, self.faults));
        let after =
            fields.optional("after").map(|node| node.texts("a list of playbooks' names", self.faults));
        let vars = fields.optional("vars").map(|node| vars(node, self.faults));
        let owns = fields.optional("owns").map(|node| self.owns(node)).unwrap_or_default();
        let reversible = fields.optional("reversible").map(|node| node.boolean(self.faults));
        let steps_node = fields.required("steps", self.faults);
        fields.finish(self.faults);
        let hosts = hosts?;
        let steps = steps_node.map(|node| self.steps(node, &hosts.value))?;
        Some(Playbook {
            name: self.name.to_owned(),
            own: self.own,
            about: about?,
            hosts: hosts.value,
            reversible: reversible.flatten().unwrap_or_default(),
            hosts_span: hosts.span,
            after: after.flatten().unwrap_or_default(),
            vars: vars.unwrap_or_else(|| serde_json::json!({})),
            owns: owns.iter().map(|owned| owned.value.clone()).collect(),
            owns_spans: owns.iter().map(|owned| owned.span).collect(),
            steps,
        })
    }
}

fn about(node: &Node, faults: &mut Faults) -> Option<String> {
    let text = node.text("one line for a person", faults)?;
    if text.value.contains('\n') {
        faults.push(Fault::new(text.span, "`about` is one line"));
        return None;
    }
    Some(text.value)
}

fn selector(node: &Node, faults: &mut Faults) -> Option<Spanned<Selector>> {
    let expected = "`all`, `leader`, `control_plane`, `worker`, `cluster` or the name of a host";
    let later = match &node.value {
        Value::Scalar { text, .. } => Some(text.as_str()),
        Value::Mapping(entries) => entries.first().map(|(key, _)| key.value.as_str()),
        Value::Sequence(_) => None,
    };
    if let Some(word) = later.filter(|word| Selector::LATER.contains(word)) {
        let fault = Fault::new(node.span, format!("`hosts: {word}` is not in this version"));
        faults.push(fault.help(format!("this version knows {expected}")));
        return None;
    }
    let word = node.text(expected, faults)?;
    Some(Spanned { value: Selector::of(&word.value), span: word.span })
}

fn vars(node: &Node, faults: &mut Faults) -> serde_json::Value {
    match Fields::of(node, "`vars`", faults) {
        Some(_) => node.to_json(),
        None => serde_json::json!({}),
    }
}
