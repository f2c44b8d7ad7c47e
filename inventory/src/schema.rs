//! JSON Schema, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::source;

/// The JSON Schema (draft 2020-12) of an inventory. It knows the shape; rules between fields are for [`crate::parse`].
pub fn schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<source::Inventory>().to_value()
}
