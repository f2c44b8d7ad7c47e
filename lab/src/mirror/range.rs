//! The `Range` header, as far as a single range goes. Pure. RFC 9110 §14.

/// Which bytes to send.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Range {
    /// All of them.
    Whole,
    /// From the first up to, not including, the second.
    Part(u64, u64),
    /// The file has no such bytes.
    Unsatisfiable,
}

/// What the header asks of a file of `size` bytes. What is not understood is ignored, as the standard wants.
pub(super) fn parse(header: Option<&str>, size: u64) -> Range {
    let Some((first, last)) = header
        .and_then(|header| header.strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Range::Whole;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) if start <= last => (start, last.saturating_add(1).min(size)),
        (Ok(start), Err(_)) if last.is_empty() => (start, size),
        (Err(_), Ok(length)) if first.is_empty() => (size.saturating_sub(length), size),
        _ => return Range::Whole,
    };
    if start < end { Range::Part(start, end) } else { Range::Unsatisfiable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clipped_to_the_file() {
        assert_eq!(parse(None, 10), Range::Whole);
        assert_eq!(parse(Some("bytes=2-3"), 10), Range::Part(2, 4));
        assert_eq!(parse(Some("bytes=2-"), 10), Range::Part(2, 10));
        assert_eq!(parse(Some("bytes=2-99"), 10), Range::Part(2, 10));
        assert_eq!(parse(Some("bytes=-3"), 10), Range::Part(7, 10));
        assert_eq!(parse(Some("bytes=-99"), 10), Range::Part(0, 10));
        assert_eq!(parse(Some("bytes=10-"), 10), Range::Unsatisfiable);
        assert_eq!(parse(Some("bytes=-0"), 10), Range::Unsatisfiable);
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for header in ["lines=1-2", "bytes=1-2,4-5", "bytes=5-2", "bytes=a-b", "bytes=-"] {
            assert_eq!(parse(Some(header), 10), Range::Whole, "{header}");
        }
    }
}
