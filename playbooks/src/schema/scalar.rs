//! Single values.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A type whose schema stands where it is used.
macro_rules! scalar {
    ($(#[$about:meta])* $name:ident, $($schema:tt)+) => {
        $(#[$about])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($schema)+)
            }
        }
    };
}

scalar!(
    /// Text, with variables where the key takes some. What is not quoted is text too.
    Text,
    { "type": ["string", "number", "boolean"] }
);
scalar!(
    /// Text that is written out: what playbooks claim is compared before any host is reached.
    Literal,
    { "type": ["string", "number"] }
);
scalar!(
    /// A plain absolute path, written out.
    Path,
    { "type": "string", "pattern": "^(/[^/]+)+$" }
);
scalar!(
    /// Permission bits in octal digits, quoted or not.
    Mode,
    { "type": ["string", "integer"], "pattern": "^[0-7]{3,}$" }
);
scalar!(
    /// A condition such as `not facts.shared_kernel`.
    Condition,
    { "type": ["string", "boolean"] }
);
scalar!(
    /// A number of seconds.
    Seconds,
    { "type": "integer", "minimum": 1, "maximum": 86400 }
);
scalar!(
    /// A file of the lock, or a program that comes with Garboard.
    File,
    { "type": "string", "enum": crate::artifact::FILES.into_iter().chain(crate::artifact::CARRIED).collect::<Vec<_>>() }
);
scalar!(
    /// An image of the lock.
    Image,
    { "type": "string", "enum": crate::artifact::IMAGES }
);
scalar!(
    /// A package of the operating system.
    PackageName,
    { "type": "string", "pattern": "^[a-z0-9][a-z0-9+.-]*[a-z0-9+.]$" }
);
scalar!(
    /// A kernel parameter.
    KernelParameter,
    { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*(=[!#-~]*)?$" }
);
scalar!(
    /// The name of a file of settings.
    SettingsFile,
    { "type": "string", "pattern": "^[a-z0-9-]+$" }
);
scalar!(
    /// Just `off`, which readers of older YAML take for `false`.
    Swap,
    { "enum": ["off", false] }
);
scalar!(
    /// Just `right`.
    Clock,
    { "const": "right" }
);
