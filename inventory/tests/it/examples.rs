//! The examples are inventories this version takes.

use std::path::Path;

use crate::golden::{in_crate, inventories};

#[test]
fn every_example_loads() {
    for path in inventories("examples", 3) {
        if let Err(diagnostics) = garboard_inventory::load_with_home(&path, Some(Path::new("/home/pi"))) {
            panic!("{diagnostics}");
        }
    }
}

#[test]
fn every_example_tells_editors_its_schema() {
    for path in inventories("examples", 3) {
        let text = fs_err::read_to_string(&path).unwrap();
        let line = text.lines().next().unwrap();
        let schema = line.strip_prefix("# yaml-language-server: $schema=").unwrap();
        let schema = path.parent().unwrap().join(schema);
        assert_eq!(
            schema.canonicalize().unwrap(),
            in_crate("garboard.schema.json").canonicalize().unwrap(),
            "{}",
            path.display()
        );
    }
}
