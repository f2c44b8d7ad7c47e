//! Units and images.

use garboard_protocol::change::Field;
use garboard_protocol::step::{Image, ImageSource, Unit};
use garboard_protocol::{Observation, Step};

use crate::machine::Machine;

const UNIT: &str = "[Service]\nExecStart=/usr/local/bin/containerd\n";

pub(crate) fn containerd(content: &str) -> Step {
    Step::Unit(Unit {
        name: "containerd.service".into(),
        content: Some(content.into()),
        enabled: true,
        active: Some(true),
        restart_on: vec!["/etc/containerd/config.toml".into()],
    })
}

fn image(machine: &Machine) -> ImageSource {
    ImageSource {
        reference: "registry.k8s.io/pause:3.10.2".into(),
        index: machine
            .put_blob(br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}"#),
        manifest: machine.put_blob(b"manifest"),
        config: machine.put_blob(b"config"),
        layers: vec![machine.put_blob(b"layer"), machine.put_blob(b"layer")],
    }
}

fn fields(observation: Observation) -> Vec<Field> {
    match observation {
        Observation::Differs { changes } => changes.into_iter().map(|change| change.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_unit_is_written_enabled_and_started_once() {
    let machine = Machine::new();
    machine.run(&[containerd(UNIT)]).unwrap();
    assert!(machine.world.lock().unwrap().active.contains_key("containerd.service"));
    machine.fake.forget_calls();
    machine.run(&[containerd(UNIT)]).unwrap();
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn what_a_unit_read_at_its_start_restarts_it_when_it_changes() {
    let machine = Machine::new();
    machine.fake.put("/etc/containerd/config.toml", b"version = 3\n", 0o644);
    machine.run(&[containerd(UNIT)]).unwrap();
    // The clock of systemd shows microseconds, that of the fake counts nanoseconds.
    (0..2000).for_each(|_| machine.fake.put("/tmp/tick", b"", 0o644));
    machine.fake.put("/etc/containerd/config.toml", b"version = 3\n# more\n", 0o644);
    assert_eq!(fields(machine.probe(&containerd(UNIT))), [Field::Restart]);
    machine.fake.forget_calls();
    (0..2000).for_each(|_| machine.fake.put("/tmp/tick", b"", 0o644));
    machine.run(&[containerd(UNIT)]).unwrap();
    assert!(machine.fake.commands().contains(&"run systemctl restart -- containerd.service".to_owned()));
    assert!(machine.probe(&containerd(UNIT)).is_converged());
}

#[test]
fn a_changed_unit_file_is_reloaded_before_the_restart() {
    let machine = Machine::new();
    machine.run(&[containerd(UNIT)]).unwrap();
    (0..2000).for_each(|_| machine.fake.put("/tmp/tick", b"", 0o644));
    let changed = format!("{UNIT}Restart=always\n");
    assert_eq!(fields(machine.probe(&containerd(&changed))), [Field::Content, Field::Restart]);
    machine.fake.forget_calls();
    machine.run(&[containerd(&changed)]).unwrap();
    let commands = machine.fake.commands();
    let at = |text: &str| {
        commands.iter().position(|command| command == text).unwrap_or_else(|| panic!("{commands:#?}"))
    };
    assert!(at("run systemctl daemon-reload") < at("run systemctl restart -- containerd.service"));
}

#[test]
fn a_unit_that_is_not_to_run_yet_is_only_enabled() {
    let machine = Machine::new();
    let kubelet = Step::Unit(Unit {
        name: "kubelet.service".into(),
        content: Some("[Service]\n".into()),
        enabled: true,
        active: None,
        restart_on: Vec::new(),
    });
    machine.run(std::slice::from_ref(&kubelet)).unwrap();
    assert!(machine.world.lock().unwrap().active.is_empty());
    assert!(machine.probe(&kubelet).is_converged());
}

#[test]
fn images_cannot_be_told_before_containerd_runs() {
    let machine = Machine::new();
    let step = Step::Image(Image { images: vec![image(&machine)] });
    assert!(matches!(machine.probe(&step), Observation::Unknown { .. }));
}

#[test]
fn an_image_is_imported_once_under_both_names() {
    let machine = Machine::new();
    let source = image(&machine);
    let step = Step::Image(Image { images: vec![source.clone()] });
    machine.run(&[containerd(UNIT), step.clone()]).unwrap();
    let digest = source.index.digest.to_string();
    let names: Vec<_> = machine.world.lock().unwrap().images.clone().into_iter().collect();
    assert_eq!(
        names,
        [
            ("registry.k8s.io/pause:3.10.2".to_owned(), digest.clone()),
            (format!("registry.k8s.io/pause@{digest}"), digest)
        ]
    );
    machine.fake.forget_calls();
    machine.run(&[step]).unwrap();
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn a_flipped_bit_in_a_layer_stops_the_import() {
    let machine = Machine::new();
    let source = image(&machine);
    machine.fake.put(
        &format!("/var/lib/garboard/blobs/sha256/{}", source.layers[0].digest.hex()),
        b"lazer",
        0o600,
    );
    let step = Step::Image(Image { images: vec![source] });
    let failure = machine.run(&[containerd(UNIT), step]).unwrap_err();
    assert!(format!("{failure:?}").contains("damaged"), "{failure:?}");
    assert!(machine.world.lock().unwrap().images.is_empty());
}
