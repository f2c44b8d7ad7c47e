//! Where a value stands in the file.

use std::ops::Range;

/// A range of bytes in the inventory's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Offset of the first byte.
    pub(crate) start: usize,
    /// Offset behind the last byte.
    pub(crate) end: usize,
}

impl Span {
    /// The same as a standard range.
    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether nothing is written here (`key:` without a value).
    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it was written.
    pub(crate) span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub(crate) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A field of the file: left out, written but wrong (already reported), or good.
///
/// The difference between the first two keeps a default from standing in for a value that is merely misspelt, which
/// would report faults the user never made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Given<T> {
    /// Not in the file: the default applies.
    #[default]
    Absent,
    /// In the file and reported as a fault: nothing more can be said about it.
    Faulty,
    /// In the file and good.
    Valid(Spanned<T>),
}

impl<T> Given<T> {
    /// The value, where it is good.
    pub(crate) fn valid(&self) -> Option<&Spanned<T>> {
        match self {
            Self::Valid(spanned) => Some(spanned),
            Self::Absent | Self::Faulty => None,
        }
    }

    /// The value, the default where the field is absent, nothing where it is faulty.
    pub(crate) fn value_or(&self, default: impl FnOnce() -> T) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Absent => Some(default()),
            Self::Faulty => None,
            Self::Valid(spanned) => Some(spanned.value.clone()),
        }
    }

    /// A copy of the value, where it is good.
    pub(crate) fn to_value(&self) -> Option<T>
    where
        T: Clone,
    {
        self.valid().map(|spanned| spanned.value.clone())
    }
}

impl<T> From<Option<Spanned<T>>> for Given<T> {
    fn from(read: Option<Spanned<T>>) -> Self {
        read.map_or(Self::Faulty, Self::Valid)
    }
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for Given<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}
